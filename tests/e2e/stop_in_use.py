#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A set whose device is in use is not stopped: the refusal names who uses it, and it serves on."""

import os

import product
import support
from support import check, equal_bytes, pattern


def stop_in_use(t):
    image = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    dm = product.Product(t, image, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    point = t.mount(device)
    with open(os.path.join(point, "file"), "wb") as file:
        file.write(pattern(0, 4))
    done = dm.stop(expect=3)
    check(point in done.one_line_error(), f"the error names the mount: {done}")
    with open(os.path.join(point, "file"), "rb") as file:
        equal_bytes(file.read(), pattern(0, 4), "the file after the refused stop")
    support.unmount(point)

    with open(device, "rb"):
        done = dm.stop(expect=3)
        check(str(os.getpid()) in done.one_line_error(), f"the error names the process: {done}")
    support.wait_until(lambda: dm.stop(expect=None).exit == 0, "stopped once nobody uses it")
    check(not dm.is_running(), "it has ended")


support.run_test(stop_in_use, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
