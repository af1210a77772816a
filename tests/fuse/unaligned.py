# SPDX-License-Identifier: GPL-2.0-or-later
"""The file takes any offset and length, as a file does; its end is the end of the disk."""

import errno
import os
import random

import support
from ram_disk import RamDisk
from support import check, equal, equal_bytes


def unaligned(t):
    disk = RamDisk(t, size="4MiB", block=4096, loop=False)
    size = disk.size
    model = bytearray(size)
    fd = os.open(disk.path, os.O_RDWR)
    t.cleanup.push(os.close, fd)
    chance = random.Random(11)
    for _ in range(500):
        offset = chance.randrange(size)
        length = min(chance.choice((1, 100, 4096, 5000, 300000, 1500000)), size - offset)
        if chance.random() < 0.6:
            data = chance.randbytes(length)
            equal(os.pwrite(fd, data, offset), length, "bytes written")
            model[offset:offset + length] = data
        else:
            equal_bytes(os.pread(fd, length, offset), bytes(model[offset:offset + length]), "read")
    equal_bytes(disk.bytes(t), bytes(model), "in memory")

    equal(os.pread(fd, 100, size), b"", "past the end")
    equal(len(os.pread(fd, 100, size - 3)), 3, "bytes at the end")
    equal(os.pwrite(fd, bytes(100), size - 3), 3, "bytes written at the end")
    with support.expect_errno(errno.ENOSPC):
        os.pwrite(fd, b"x", size)
    equal(os.stat(disk.path).st_size, size, "the size")
    equal(os.stat(disk.path).st_mode & 0o7777, 0o600, "the mode")

    with support.expect_errno(errno.EPERM):
        os.truncate(disk.path, size // 2)
    with support.expect_errno(errno.EPERM):
        os.open(disk.path, os.O_RDWR | os.O_TRUNC)
    os.truncate(disk.path, size)
    with support.expect_errno(errno.EPERM):
        os.chmod(disk.path, 0o666)
    equal_bytes(disk.bytes(t)[:size - 3], bytes(model)[:size - 3], "after all refusals")

    counts = disk.counts()
    synced = os.open(disk.path, os.O_WRONLY | os.O_SYNC)
    os.pwrite(synced, bytes(4096), 0)
    os.close(synced)
    after = disk.counts()
    check(after["fua_writes"] > counts["fua_writes"] or after["flushes"] > counts["flushes"],
          "a write with O_SYNC was not made durable")


support.run_test(unaligned, root=True, fuse=True)
