# SPDX-License-Identifier: GPL-2.0-or-later
"""ext4 is made, used, trimmed, checked and found again."""

import hashlib
import os

import support
from ram_disk import RamDisk
from support import check, equal


def file_system(t):
    disk = RamDisk(t, size="128MiB", block=4096)
    support.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0", disk.node)
    check(disk.counts()["zeroings"] > 0, "mkfs.ext4 discarded nothing")
    point = t.mount(disk.node)
    sums = {}
    for i in range(40):
        data = os.urandom(1 << (8 + i % 12)) * 3
        with open(os.path.join(point, f"file{i}"), "wb") as file:
            file.write(data)
        sums[i] = hashlib.sha256(data).digest()
    for i in range(0, 40, 3):
        os.unlink(os.path.join(point, f"file{i}"))
        del sums[i]
    support.run("fstrim", point)
    support.unmount(point)
    support.run("e2fsck", "-f", "-n", disk.node)
    support.run("mount", disk.node, point)
    for i, expected in sums.items():
        with open(os.path.join(point, f"file{i}"), "rb") as file:
            equal(hashlib.sha256(file.read()).digest(), expected, f"file{i}")
    support.unmount(point)
    disk.stop()


support.run_test(file_system, root=True, fuse=True, loop=True,
                 programs=["mkfs.ext4", "e2fsck", "fstrim"])
