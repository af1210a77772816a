# SPDX-License-Identifier: GPL-2.0-or-later
"""A read-only disk can be read from the file and the block device, and nothing can be written."""

import errno
import os

import support
from ram_disk import RamDisk
from support import equal


def read_only(t):
    disk = RamDisk(t, size="16MiB", read_only=True)
    for path, number in ((disk.path, errno.EROFS), (disk.node, errno.EPERM)):
        equal(support.read_sectors(path, 8, 8), bytes(4096), path)
        with support.expect_errno(number):
            fd = os.open(path, os.O_WRONLY)
            try:
                os.pwrite(fd, bytes(4096), 0)
            finally:
                os.close(fd)
    equal(support.run("blockdev", "--getro", disk.node).out.strip(), "1", "read-only")
    equal(os.stat(disk.path).st_mode & 0o7777, 0o400, "the mode")
    disk.stop()


support.run_test(read_only, root=True, fuse=True, loop=True, programs=["blockdev"])
