# SPDX-License-Identifier: GPL-2.0-or-later
"""An unplugged disk answers ENODEV to everything, flushes and waiting requests too."""

import errno
import threading

import support
from support import pattern, read_sectors, write_sectors


def unplug(t):
    disk = t.lab(size="1MiB", fill=1)
    loop = t.loop(disk.path)
    disk.fault("slow:600000", "500")
    answers = []

    def wait_on_slow_sector():
        try:
            read_sectors(disk.path, 500)
        except OSError as error:
            answers.append(error.errno)

    waiting = threading.Thread(target=wait_on_slow_sector, daemon=True)
    waiting.start()
    support.wait_until(lambda: disk.show()["counts"]["delayed"] == 1, "a request that waits")

    disk.unplug()
    waiting.join(timeout=300)
    support.equal(answers, [errno.ENODEV], "the answer to what waited")
    with support.expect_errno(errno.ENODEV):
        read_sectors(disk.path, 0)
    with support.expect_errno(errno.ENODEV):
        write_sectors(disk.path, 0, pattern(0, 1, seed=2))
    with support.expect_errno(errno.ENODEV):
        support.flush(disk.path)
    for action in (lambda: read_sectors(loop, 0), lambda: write_sectors(loop, 0, pattern(0))):
        try:
            action()
            raise support.CheckFailed("the loop device answered for a disk that is gone")
        except OSError:
            pass
    support.check(disk.show()["unplugged"], "show says so")

    disk.replug()
    support.equal_bytes(read_sectors(disk.path, 0), pattern(0, 1, 1), "after replug")
    support.equal_bytes(read_sectors(loop, 1), pattern(1, 1, 1), "after replug, by loop")
    support.flush(disk.path)
    support.equal(len(disk.show()["faults"]), 1, "faults outlive an unplug")


support.run_test(unplug, root=True, fuse=True, loop=True)
