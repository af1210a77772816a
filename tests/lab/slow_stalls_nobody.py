# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests on slow sectors wait alone: others are served meanwhile, and a clear releases them."""

import threading
import time

import support
from support import check, read_sectors, write_sectors, pattern


def slow_stalls_nobody(t):
    disk = t.lab(size="4MiB", fill=1)
    loop = t.loop(disk.path)
    disk.fault("slow:60000", "0+8")

    ended = []

    def ask(path, write):
        if write:
            write_sectors(path, 0, pattern(0, 1, seed=2))
        else:
            read_sectors(path, 0)
        ended.append(path)

    # Sixteen, more than the kernel's default for requests in the background; writes by the loop
    # device only, because the kernel makes an fsync wait for pwrite(2) on the same file.
    waiting = [threading.Thread(target=ask, args=args, daemon=True)
               for args in 8 * [(disk.path, False)] + 4 * [(loop, False)] + 4 * [(loop, True)]]
    for thread in waiting:
        thread.start()
    support.wait_until(lambda: disk.show()["counts"]["delayed"] == 16, "requests that wait")

    start = time.monotonic()
    for i in range(50):
        write_sectors(disk.path, 100 + i, pattern(100 + i, 1, seed=3))
        read_sectors(loop, 200 + i)
        support.flush(disk.path)
    took = time.monotonic() - start
    check(took < 10, f"150 requests took {took:.1f} s beside slow ones")
    support.equal(ended, [], "slow requests that have ended")

    disk.clear()
    for thread in waiting:
        thread.join(timeout=300)
    support.equal(len(ended), len(waiting), "requests that ended after clear")


support.run_test(slow_stalls_nobody, root=True, fuse=True, loop=True)
