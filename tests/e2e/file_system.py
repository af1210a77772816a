#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""ext4 is made, mounted, filled and checked on a disk with bad sectors from the start and new ones
while it is in use."""

import os

import product
import support
from support import check, equal


def file_system(t):
    disk = t.lab(size="128MiB")
    for sector in range(64, 262144, 4099):
        disk.fault("write", f"{sector}+2")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")

    support.run("mkfs.ext4", "-q", "-b", "4096", device)
    mount = t.mount(device)
    expected = {}
    for number in range(60):
        name = f"file{number}"
        data = support.pattern(number * 2000, 1200, "fs")
        with open(os.path.join(mount, name), "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        expected[name] = data
        if number == 20:
            for sector in range(1000, 262144, 5003):
                disk.fault("write", f"{sector}+1")
        if number % 7 == 3:
            gone = f"file{number - 2}"
            os.unlink(os.path.join(mount, gone))
            del expected[gone]
    support.run("fstrim", mount, expect=(0, 1))
    check(not os.statvfs(mount).f_flag & os.ST_RDONLY, "the file system stayed writable")
    support.unmount(mount)
    support.run("e2fsck", "-f", "-n", device)
    check(dm.status()["remapped_sectors"] > 0, "bad sectors were met")
    dm.stop()

    device = dm.start("block", by_devices=True)
    support.run("e2fsck", "-f", "-n", device)
    mount = t.mount(device, "again", "-o", "ro")
    equal(sorted(set(os.listdir(mount)) - {"lost+found"}), sorted(expected), "files")
    for name, data in expected.items():
        with open(os.path.join(mount, name), "rb") as file:
            support.equal_bytes(file.read(), data, name)


support.run_test(file_system, root=True, fuse=True, loop=True, programs=["mkfs.ext4", "e2fsck"])
