# SPDX-License-Identifier: GPL-2.0-or-later
"""Bad sectors fail what touches them, with their errno, and nothing else; content is exact."""

import errno
import os

import support
from support import pattern, read_sectors, write_sectors


def faults(t):
    disk = t.lab(size="8MiB", fill=1)
    support.equal(os.stat(disk.path).st_size, 8 << 20, "size of the disk")

    disk.fault("read", "100")
    disk.fault("read:ENODATA", "200+8")
    disk.fault("write:ENOSPC", "300+2")
    with support.expect_errno(errno.EIO):
        read_sectors(disk.path, 96, 8)
    with support.expect_errno(errno.ENODATA):
        read_sectors(disk.path, 207, 1)
    with support.expect_errno(errno.ENOSPC):
        write_sectors(disk.path, 299, pattern(299, 4, seed=2))
    support.equal_bytes(read_sectors(disk.path, 101, 99), pattern(101, 99, 1), "between faults")
    support.equal_bytes(read_sectors(disk.path, 208, 91), pattern(208, 91, 1), "after a fault")
    # The bad sectors keep their content; what lies before them may be written.
    support.equal_bytes(read_sectors(disk.path, 300, 3), pattern(300, 3, 1), "a failed write")
    # A plain read fault is no write fault, and outlives the write.
    write_sectors(disk.path, 100, pattern(100, 1, seed=3))
    with support.expect_errno(errno.EIO):
        read_sectors(disk.path, 100)

    disk.clear("100")
    support.equal_bytes(read_sectors(disk.path, 100), pattern(100, 1, 3), "a cleared sector")
    disk.clear()
    support.equal(disk.show()["faults"], [], "faults after clear")
    support.equal_bytes(read_sectors(disk.path, 200, 8), pattern(200, 8, 1), "cleared sectors")

    # Without O_DIRECT, unaligned and across the end, as on any file; the size is fixed.
    disk.fault("read", "20")
    fd = os.open(disk.path, os.O_RDWR)
    try:
        support.equal_bytes(os.pread(fd, 10, 20 * 512 - 10), pattern(19, 1, 1)[-10:], "unaligned")
        with support.expect_errno(errno.EIO):
            os.pread(fd, 10, 20 * 512 - 9)
        support.equal(len(os.pread(fd, 4096, (8 << 20) - 100)), 100, "read across the end")
        with support.expect_errno(errno.ENOSPC):
            os.pwrite(fd, b"x" * 101, (8 << 20) - 100)
        with support.expect_errno(errno.EPERM):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)
    support.equal(os.stat(disk.image).st_size, 8 << 20, "size of the image")


support.run_test(faults, root=True, fuse=True)
