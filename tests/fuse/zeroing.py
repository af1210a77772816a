# SPDX-License-Identifier: GPL-2.0-or-later
"""Discards and zeroing, through the file and the loop device; and what the kernel does when the
engine will not zero lost sectors: it writes the zeros itself, which heals exactly what it
covers."""

import ctypes
import errno
import os

import support
from ram_disk import RamDisk
from support import check, equal, equal_bytes

KEEP_SIZE, PUNCH_HOLE, ZERO_RANGE = 1, 2, 16
SIZE = 8 << 20
LIBC = ctypes.CDLL(None, use_errno=True)


def fallocate(path, mode, offset, length):
    fd = os.open(path, os.O_RDWR)
    try:
        if LIBC.fallocate64(fd, mode, ctypes.c_int64(offset), ctypes.c_int64(length)) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(fd)


def expect_zeros(t, disk, data, ranges, what):
    """The memory is `data` but for zeros at [offset, end)."""
    expected = bytearray(data)
    for offset, end in ranges:
        expected[offset:end] = bytes(end - offset)
    equal_bytes(disk.bytes(t), bytes(expected), what)


def refill(disk, data):
    disk.must("clear")
    support.write_sectors(disk.path, 0, data)


def zeroing(t):
    disk = RamDisk(t, size="8MiB")
    data = support.pattern(0, SIZE // 512, seed=5)

    for mode in (PUNCH_HOLE | KEEP_SIZE, ZERO_RANGE | KEEP_SIZE, ZERO_RANGE):
        for offset, length in ((4096, 65536), (1, 3), (511, 2), (1000, 70000), (0, SIZE)):
            refill(disk, data)
            fallocate(disk.path, mode, offset, length)
            expect_zeros(t, disk, data, [(offset, offset + length)], f"{mode}: {offset}+{length}")
    refill(disk, data)
    fallocate(disk.path, PUNCH_HOLE | KEEP_SIZE, SIZE - 512, 1 << 20)
    expect_zeros(t, disk, data, [(SIZE - 512, SIZE)], "across the end")
    for mode in (0, KEEP_SIZE):
        with support.expect_errno(errno.EOPNOTSUPP):
            fallocate(disk.path, mode, 0, 4096)

    for tool in (["blkdiscard"], ["blkdiscard", "-z"]):
        refill(disk, data)
        writes = disk.counts()["writes"]
        support.run(*tool, "-o", 1 << 20, "-l", 2 << 20, disk.node)
        expect_zeros(t, disk, data, [(1 << 20, 3 << 20)], " ".join(tool))
        equal(disk.counts()["writes"], writes, "zeros written one by one")

    refill(disk, data)
    disk.must("lost", "3000+3")
    with support.expect_errno(errno.EIO):
        support.read_sectors(disk.node, 3000, 1)
    support.run("blkdiscard", "-z", "-o", 1 << 20, "-l", 2 << 20, disk.node)
    expect_zeros(t, disk, data, [(1 << 20, 3 << 20)], "zeroed over lost sectors")
    equal(support.read_sectors(disk.node, 2048, 4096), bytes(2 << 20), "the healed range")

    # Still there after the refusal: a range without lost sectors is zeroed.
    refill(disk, data)
    disk.must("lost", "15000+1")
    support.run("blkdiscard", "-z", "-o", 4 << 20, "-l", 1 << 20, disk.node)
    expect_zeros(t, disk, data, [(4 << 20, 5 << 20)], "zeroed elsewhere")
    support.run("blkdiscard", "-o", 1 << 20, "-l", 1 << 20, disk.node)
    expect_zeros(t, disk, data, [(1 << 20, 2 << 20), (4 << 20, 5 << 20)], "discarded elsewhere")
    # A discard over a lost sector does nothing to it.
    support.run("blkdiscard", "-o", 15000 * 512, "-l", 4096, disk.node, expect=(0, 1))
    with support.expect_errno(errno.EIO):
        support.read_sectors(disk.path, 15000, 1)
    # A loop device may take one refused discard as "never again" (Linux, loop_clear_limits());
    # discards are then refused, not half done, and zeroing goes on.
    outcome = support.run("blkdiscard", "-o", 2 << 20, "-l", 1 << 20, disk.node, expect=(0, 1))
    check(outcome.exit == 0 or "not supported" in outcome.err, outcome)
    support.run("blkdiscard", "-z", "-o", 2 << 20, "-l", 1 << 20, disk.node)
    expect_zeros(t, disk, data, [(1 << 20, 3 << 20), (4 << 20, 5 << 20)], "zeroed at last")
    with support.expect_errno(errno.EIO):
        support.read_sectors(disk.path, 15000, 1)
    disk.stop()


support.run_test(zeroing, root=True, fuse=True, loop=True, programs=["blkdiscard"])
