# SPDX-License-Identifier: GPL-2.0-or-later
"""A real ext4 lives on the disk under a loop device, meets its errors, and recovers from them."""

import errno
import os

import support
from support import check, equal_bytes, run


def first_sector_of(mount_point, path):
    """Where the first block of a file lies on the device, in sectors."""
    run("sync", "-f", mount_point)
    lines = run("filefrag", "-v", "-b512", path).out.splitlines()
    return int(next(line for line in lines if line.strip().startswith("0:")).split()[3].rstrip(".:"))


def file_system(t):
    disk = t.lab(size="64MiB")
    loop = t.loop(disk.path)
    run("mkfs.ext4", "-q", loop)
    mount_point = t.mount(loop)
    content = {f"{i}": support.pattern(i, 2048, seed=9) for i in range(8)}
    for name, data in content.items():
        with open(os.path.join(mount_point, name), "wb") as file:
            file.write(data)
    run("fstrim", mount_point)

    bad = first_sector_of(mount_point, os.path.join(mount_point, "3"))
    disk.fault("read", f"{bad}+8")
    run("sync", "-f", mount_point)
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as knob:
        knob.write("1")
    with support.expect_errno(errno.EIO):
        with open(os.path.join(mount_point, "3"), "rb") as file:
            file.read()
    for name in content.keys() - {"3"}:
        with open(os.path.join(mount_point, name), "rb") as file:
            equal_bytes(file.read(), content[name], f"file {name}")

    disk.clear()
    support.unmount(mount_point)
    run("e2fsck", "-fn", loop)
    run("mount", loop, mount_point)
    with open(os.path.join(mount_point, "3"), "rb") as file:
        equal_bytes(file.read(), content["3"], "file 3, healthy again")
    check(disk.show()["counts"]["zeroes"] > 0, "fstrim reached the disk")


support.run_test(file_system, root=True, fuse=True, loop=True,
                 programs=["mkfs.ext4", "e2fsck", "filefrag", "fstrim"])
