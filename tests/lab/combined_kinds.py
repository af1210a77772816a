# SPDX-License-Identifier: GPL-2.0-or-later
"""Kinds combine, in one command and over several, while the disk is in use."""

import errno
import time

import support
from support import check, pattern, read_sectors, write_sectors


def fails(action, number):
    try:
        action()
        return False
    except OSError as error:
        support.equal(error.errno, number, "errno")
        return True


def combined_kinds(t):
    disk = t.lab(size="1MiB", fill=1)

    disk.fault("read:ENODATA+write+slow:300", "8")
    for action, number in ((lambda: read_sectors(disk.path, 8), errno.ENODATA),
                           (lambda: write_sectors(disk.path, 8, pattern(8)), errno.EIO)):
        start = time.monotonic()
        with support.expect_errno(number):
            action()
        check(time.monotonic() - start >= 0.3, "it failed before its delay")

    # A later fault sets its kinds and leaves the others.
    disk.fault("slow:1", "8")
    support.equal(disk.show()["faults"],
                  [{"sector": 8, "count": 1, "kinds": ["read:ENODATA", "write", "slow:1"]}])

    # Certain and impossible flakiness, then a fair one.
    disk.clear()
    disk.fault("read+write+flaky:1", "16")
    check(all(fails(lambda: read_sectors(disk.path, 16), errno.EIO) for _ in range(20)),
          "flaky:1 always fails")
    disk.fault("flaky:0", "16")
    write_sectors(disk.path, 16, pattern(16, 1, seed=2))
    support.equal_bytes(read_sectors(disk.path, 16), pattern(16, 1, 2), "flaky:0 never fails")
    disk.fault("flaky:0.5", "16")
    failed = sum(fails(lambda: read_sectors(disk.path, 16), errno.EIO) for _ in range(200))
    check(40 < failed < 160, f"flaky:0.5 failed {failed} times of 200")

    counts = disk.show()["counts"]
    support.equal(counts["failed_reads"], 1 + 20 + failed, "failed reads counted")
    support.equal(counts["failed_writes"], 1, "failed writes counted")
    support.equal(counts["delayed"], 2, "delays counted")


support.run_test(combined_kinds, root=True, fuse=True)
