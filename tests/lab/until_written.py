# SPDX-License-Identifier: GPL-2.0-or-later
"""until-written: reads fail until the sector is written, as a disk that reallocates on write."""

import errno

import support
from support import pattern, read_sectors, write_sectors


def until_written(t):
    disk = t.lab(size="4MiB", fill=1)
    disk.fault("until-written", "64+8")
    disk.fault("read:ENODATA+until-written", "128")

    for path in (disk.path, t.loop(disk.path)):
        with support.expect_errno(errno.EIO):
            read_sectors(path, 64, 8)
        with support.expect_errno(errno.ENODATA):
            read_sectors(path, 128)

    # Through the mounted file, the first half; through the loop device, the rest.
    loop = t.loop(disk.path)
    write_sectors(disk.path, 64, pattern(64, 4, seed=2))
    support.equal_bytes(read_sectors(disk.path, 64, 4), pattern(64, 4, 2), "the written half")
    with support.expect_errno(errno.EIO):
        read_sectors(disk.path, 67, 2)
    write_sectors(loop, 68, pattern(68, 4, seed=3))
    support.equal_bytes(read_sectors(loop, 64, 8), pattern(64, 4, 2) + pattern(68, 4, 3), "all")

    # A write that fails heals nothing.
    disk.fault("write", "128")
    with support.expect_errno(errno.EIO):
        write_sectors(disk.path, 128, pattern(128, 1, seed=4))
    with support.expect_errno(errno.ENODATA):
        read_sectors(disk.path, 128)
    support.equal(disk.show()["faults"],
                  [{"sector": 128, "count": 1, "kinds": ["read:ENODATA", "write", "until-written"]}])


support.run_test(until_written, root=True, fuse=True, loop=True)
