#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A flush that failed is told to every user of the FUSE file by its own next fsync, whoever has heard
of it before; each is told once, and who opens the file later is not told of what was before."""

import errno
import os

import support
from ram_disk import RamDisk
from support import expect_errno


def flush_account(t):
    disk = RamDisk(t, size="1MiB", loop=False)
    opened = support.Cleanup()
    t.cleanup.push(opened.close)

    def user():
        fd = os.open(disk.path, os.O_RDWR)
        opened.push(os.close, fd)
        return fd

    first, second = user(), user()
    os.fsync(first)
    os.fsync(second)
    disk.must("flush-error", errno.EIO)
    with expect_errno(errno.EIO):
        os.fsync(first)
    disk.must("clear")
    late = user()
    os.fsync(first)
    with expect_errno(errno.EIO):
        os.fsync(second)
    os.fsync(second)
    os.fsync(late)
    opened.close()
    disk.stop()


support.run_test(flush_account, root=True, fuse=True)
