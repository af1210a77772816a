#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A file system is made, mounted, filled and checked on a disk with bad sectors from the start and
new ones while it is in use; after a restart every file is there. Argument: ext4, xfs or btrfs."""

import hashlib
import os
import sys

import file_systems
import product
import support
from support import MIB, SECTOR, check, equal


class FileSystem:
    def __init__(self, size, make, checks, mounted_checks=()):
        self.size = size  # near the smallest that its mkfs takes
        self.make, self.checks = make.split(), [c.split() for c in checks]
        self.mounted_checks = [c.split() for c in mounted_checks]
        self.programs = sorted({c[0] for c in [self.make, *self.checks, *self.mounted_checks]})

    def check(self, device):
        for command in self.checks:
            file_systems.run_past_dead_mounts(*command, device)

    def check_mounted(self, mount):
        for command in self.mounted_checks:
            support.run(*command, mount)


FILE_SYSTEMS = {
    "ext4": FileSystem(128 * MIB, "mkfs.ext4 -q -b 4096", ["e2fsck -f -n"]),
    "xfs": FileSystem(320 * MIB, "mkfs.xfs -q -f", ["xfs_repair -n"]),
    "btrfs": FileSystem(256 * MIB, "mkfs.btrfs -q -f", ["btrfs check --readonly"],
                        mounted_checks=["btrfs scrub start -B -r"]),
}
KIND = sys.argv[1]


def never_written(image, every):
    """Sectors in holes of an image, one in every so many: nothing is lost when they go bad."""
    size = os.path.getsize(image)
    with open(image, "rb") as file:
        for sector in range(every, size // SECTOR - 8, every):
            at = sector * SECTOR
            if os.lseek(file.fileno(), at, os.SEEK_HOLE) == at:
                yield sector


def make_worse(disk, mount):
    """Sectors that hold data take no more writes; free ones fail altogether."""
    for sector in range(1000, os.path.getsize(disk.image) // SECTOR, 5003):
        disk.fault("write", f"{sector}+1")
    support.run("sync", "--file-system", mount)
    for sector in never_written(disk.image, 1777):
        disk.fault("write+read", f"{sector}+1")


def fill(disk, mount):
    """Digests of what must be there afterwards."""
    expected = {}
    for number in range(60):
        name = f"file{number}"
        data = support.pattern(number * 2000, 1200, "fs")
        with open(os.path.join(mount, name), "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        expected[name] = hashlib.sha256(data).hexdigest()
        if number == 20:
            make_worse(disk, mount)
        if number % 7 == 3:
            gone = f"file{number - 2}"
            os.unlink(os.path.join(mount, gone))
            del expected[gone]
    return expected


def digests(mount):
    out = {}
    for name in set(os.listdir(mount)) - {"lost+found"}:
        with open(os.path.join(mount, name), "rb") as file:
            out[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return out


def file_system(t):
    kind = FILE_SYSTEMS[KIND]
    disk = t.lab(size=kind.size)
    for sector in range(64, kind.size // SECTOR, 4099):
        disk.fault("write", f"{sector}+2")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")

    file_systems.run_past_dead_mounts(*kind.make, device)
    mount = t.mount(device)
    expected = fill(disk, mount)
    remapped = dm.status()["remapped_sectors"]
    support.run("fstrim", mount, expect=(0, 1))
    check(not os.statvfs(mount).f_flag & os.ST_RDONLY, "the file system stayed writable")
    kind.check_mounted(mount)
    support.unmount(mount)
    kind.check(device)
    check(dm.status()["remapped_sectors"] >= remapped > 0, "bad sectors were met")
    check(disk.show()["counts"]["failed_writes"] > 0, "by writes that failed")
    dm.stop()

    device = dm.start("block", by_devices=True)
    kind.check(device)
    mount = t.mount(device, "again", "-o", "ro")
    kind.check_mounted(mount)
    equal(digests(mount), expected, "digests of all files")


support.run_test(file_system, root=True, fuse=True, loop=True, file_system=KIND,
                 programs=FILE_SYSTEMS[KIND].programs)
