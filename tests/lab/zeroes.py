# SPDX-License-Identifier: GPL-2.0-or-later
"""Discards and zeroes make sectors read as zeros, meet write faults, and count as writes."""

import errno

import support
from support import equal_bytes, pattern, read_sectors, run


def zeroes(t):
    disk = t.lab(size="4MiB", fill=1)
    loop = t.loop(disk.path)

    run("fallocate", "--punch-hole", "--offset", 8 * 512, "--length", 8 * 512, disk.path)
    run("fallocate", "--zero-range", "--keep-size", "--offset", 24 * 512, "--length", 8 * 512,
        disk.path)
    run("blkdiscard", "--offset", 64 * 512, "--length", 8 * 512, loop)
    run("blkdiscard", "--zeroout", "--offset", 96 * 512, "--length", 8 * 512, loop)
    for first in (8, 24, 64, 96):
        equal_bytes(read_sectors(disk.path, first, 8), bytes(8 * 512), f"zeroed at {first}")
        equal_bytes(read_sectors(disk.path, first - 8, 8), pattern(first - 8, 8, 1), "before")
        equal_bytes(read_sectors(disk.path, first + 8, 8), pattern(first + 8, 8, 1), "behind")

    disk.fault("write", "204")
    support.check(run("fallocate", "--punch-hole", "--offset", 200 * 512, "--length", 8 * 512,
                      disk.path, expect=1).err, "a punch over a bad sector fails")
    equal_bytes(read_sectors(disk.path, 204, 4), pattern(204, 4, 1), "the bad sector and behind")

    disk.fault("until-written", "300+2")
    run("fallocate", "--punch-hole", "--offset", 300 * 512, "--length", 512, disk.path)
    equal_bytes(read_sectors(disk.path, 300), bytes(512), "a sector healed by zeroing")
    with support.expect_errno(errno.EIO):
        read_sectors(disk.path, 301)

    # The size stays what it is.
    run("fallocate", "--length", 8 << 20, disk.path, expect=1)
    run("truncate", "--size", 0, disk.path, expect=1)
    support.check(disk.show()["counts"]["zeroes"] >= 6, "zeroes are counted")


support.run_test(zeroes, root=True, fuse=True, loop=True)
