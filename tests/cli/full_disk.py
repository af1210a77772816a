#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A full disk under a spare image is noticed by `create`, not when a sector must be saved."""

import os

import support
from untouched import refused


def full_disk(t):
    main = t.image("main.img", "16MiB", fill=1)
    backing = t.image("small.img", "24MiB")
    support.run("mkfs.ext4", "-q", "-F", "-m", "0", backing)
    point = t.mount(t.loop(backing), "small")

    refused(t, "no-space", "create", "data", main, os.path.join(point, "spare.img"),
            "--spare-size", "64MiB", exit=1, paths=(main,))

    # An image of holes, and no room to fill them.
    holes = os.path.join(point, "holes.img")
    with open(holes, "wb") as file:
        file.truncate(20 * support.MIB)
    with open(os.path.join(point, "filler"), "wb") as file:
        try:
            while True:
                file.write(bytes(support.MIB))
                file.flush()
        except OSError:
            pass
    refused(t, "no-space", "create", "data", main, holes, exit=1, paths=(main, holes))


support.run_test(full_disk, root=True, loop=True, programs=("mkfs.ext4",))
