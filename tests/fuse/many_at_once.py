# SPDX-License-Identifier: GPL-2.0-or-later
"""Two hundred requests at once, reads, writes, flushes and discards mixed, some of them slow and
more of them than there are threads: all are answered, and everybody finds his own data."""

import fcntl
import os
import struct
import threading

import support
from ram_disk import RamDisk
from support import check, equal

WORKERS, SECTORS_EACH, ROUNDS = 200, 64, 12
BLKDISCARD = 0x1277  # linux/fs.h


def discard(node, offset, length):
    fd = os.open(node, os.O_RDWR)
    try:
        fcntl.ioctl(fd, BLKDISCARD, struct.pack("QQ", offset, length))
    finally:
        os.close(fd)


def work(disk, me, errors):
    first = me * SECTORS_EACH
    path = disk.node if me % 2 else disk.path
    try:
        for turn in range(ROUNDS):
            data = support.pattern(first, SECTORS_EACH, seed=turn)
            support.write_sectors(path, first, data)
            if me % 7 == 0:
                support.flush(disk.node)
            if support.read_sectors(path, first, SECTORS_EACH) != data:
                raise AssertionError(f"worker {me} found other data in turn {turn}")
        if me % 5 == 0:
            discard(disk.node, first * 512, SECTORS_EACH * 512)
            if support.read_sectors(path, first, SECTORS_EACH) != bytes(SECTORS_EACH * 512):
                raise AssertionError(f"worker {me} finds its discarded data")
    except Exception as error:  # told by the thread that waits
        errors.append(f"worker {me}: {error}")


def many_at_once(t):
    disk = RamDisk(t, size="16MiB")
    disk.must("slow", "0+4096", 20)
    errors = []
    workers = [threading.Thread(target=work, args=(disk, i, errors)) for i in range(WORKERS)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    equal(errors, [], "errors")
    check(disk.counts()["busiest"] > 8, f"only {disk.counts()['busiest']} requests at once")
    disk.must("clear")
    disk.stop()


support.run_test(many_at_once, root=True, fuse=True, loop=True)
