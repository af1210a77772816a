# SPDX-License-Identifier: GPL-2.0-or-later
"""Under a loop device, with and without direct I/O below it, the disk fails the same way."""

import errno

import support
from support import equal_bytes, pattern, read_sectors, run, write_sectors


def through_loop(t):
    disk = t.lab(size="16MiB", fill=1)
    for direct in (True, False):
        loop = t.loop(disk.path, direct_io=direct)
        support.equal(run("blockdev", "--getsize64", loop).out.strip(), str(16 << 20), "size")
        if direct:
            support.equal(run("losetup", "-nO", "DIO", loop).out.strip(), "1", "direct I/O")
        disk.fault("read", "1000")
        disk.fault("write", "2000+3")
        with support.expect_errno(errno.EIO):
            read_sectors(loop, 992, 16)
        with support.expect_errno(errno.EIO):
            write_sectors(loop, 1996, pattern(1996, 8, seed=2))
        equal_bytes(read_sectors(loop, 2000, 48), pattern(2000, 48, 1), "behind the bad sector")
        equal_bytes(read_sectors(loop, 1001, 900), pattern(1001, 900, 1), "between the faults")

        # Requests larger than one FUSE message, healthy and not.
        data = pattern(8192, 6144, seed=5)
        write_sectors(loop, 8192, data)
        equal_bytes(read_sectors(loop, 8192, 6144), data, "3 MiB")
        disk.fault("write", "12000")
        with support.expect_errno(errno.EIO):
            write_sectors(loop, 11000, pattern(11000, 2048, seed=6))
        disk.clear()
        equal_bytes(read_sectors(loop, 12000), pattern(12000, 1, 5), "the bad sector")
        write_sectors(loop, 1996, pattern(1996, 8, seed=1))
        run("blockdev", "--flushbufs", loop)
        support.detach_loop(loop)
    support.check(disk.show()["counts"]["flushes"] > 0, "flushes reach the disk")


support.run_test(through_loop, root=True, fuse=True, loop=True)
