# SPDX-License-Identifier: GPL-2.0-or-later
"""A request that meets a bad sector fails whole with EIO: never short, never zeros. Cached readers
get what is before the bad page or less of it, and then EIO."""

import errno
import os

import support
from ram_disk import RamDisk
from support import check, equal, equal_bytes

BAD = 5001  # in the page of sectors 5000 to 5007


def dd(path, *options):
    return support.run("dd", f"if={path}", "of=/dev/null", *options, expect=1)


def bad_sector(t):
    disk = RamDisk(t, size="16MiB")
    data = support.pattern(0, 16 * 2048, seed=3)
    support.write_sectors(disk.node, 0, data)
    disk.must("read", f"{BAD}+1")

    for path in (disk.path, disk.node):
        for first, count in ((BAD, 1), (BAD - 1, 3), (5000, 8), (4096, 2048)):
            with support.expect_errno(errno.EIO):
                support.read_sectors(path, first, count)
        equal_bytes(support.read_sectors(path, BAD - 1, 1), data[(BAD - 1) * 512:BAD * 512],
                    f"{path}: the sector before")
        equal_bytes(support.read_sectors(path, BAD + 1, 1), data[(BAD + 1) * 512:(BAD + 2) * 512],
                    f"{path}: the sector after")

    # Larger than one FUSE request: what comes before the bad request may be returned, no more.
    fd = os.open(disk.path, os.O_RDONLY)
    t.cleanup.push(os.close, fd)
    got = os.pread(fd, 8 << 20, 0)
    check(len(got) <= BAD * 512 and got == data[:len(got)], f"{len(got)} bytes, or wrong ones")
    with support.expect_errno(errno.EIO):
        os.pread(fd, 4096, 5000 * 512)

    # The file has no page cache, which would drag the neighbours down.
    equal_bytes(os.pread(fd, 100, (BAD - 1) * 512 + 7),
                data[(BAD - 1) * 512 + 7:(BAD - 1) * 512 + 107], "part of the sector before")

    # Through the page cache of the block device.
    with open(disk.node, "rb", buffering=0) as cached:
        os.posix_fadvise(cached.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        with support.expect_errno(errno.EIO):
            os.pread(cached.fileno(), 4096, 5000 * 512)
        equal_bytes(os.pread(cached.fileno(), 4096, 4992 * 512), data[4992 * 512:5000 * 512],
                    "the page before")
        equal_bytes(os.pread(cached.fileno(), 4096, 5008 * 512), data[5008 * 512:5016 * 512],
                    "the page after")
    for path in (disk.path, disk.node):
        said = dd(path, "bs=4096").err
        check("Input/output error" in said, said)
        # The kernel's read-ahead fails whole too, so a cached reader may stop earlier.
        got = int(said.splitlines()[-1].split()[0])
        check(got == 5000 * 512 or path == disk.node and got < 5000 * 512,
              f"dd read {got} bytes from {path}")

    disk.must("clear")
    disk.must("write", f"{BAD}+1")
    for path in (disk.path, disk.node):
        with support.expect_errno(errno.EIO):
            support.write_sectors(path, 5000, data[:4096])
    disk.must("clear")
    disk.must("flush-error", errno.ENODEV)
    for path in (disk.path, disk.node):
        with support.expect_errno(errno.EIO):
            support.flush(path)


support.run_test(bad_sector, root=True, fuse=True, loop=True, programs=["dd"])
