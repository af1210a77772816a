#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A main that is mounted, read-only or attached elsewhere is not served."""

import product
import support
from support import check
from untouched import refused


def start_mounted(t):
    image = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    main = t.loop(image)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "32MiB")

    point = t.mount(main)
    error = refused(t, "device-mounted", "start", dm.name, paths=(dm.spare,))
    check(point in error["what"], f"says where: {error}")
    support.unmount(point)

    # The image while the loop device has it.
    error = refused(t, "device-in-use", "start", image, dm.spare, paths=(dm.spare,))
    check(main in error["what"], f"says by whom: {error}")

    support.run("blockdev", "--setro", main)
    refused(t, "device-read-only", "start", dm.name, paths=(image, dm.spare))
    support.run("blockdev", "--setrw", main)
    dm.start("fuse")
    dm.stop()


support.run_test(start_mounted, root=True, fuse=True, loop=True, programs=("mkfs.ext4",))
