#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 1: a drive that keeps requests for longer than their deadline is answered for; a write that
it carries out later does not replace what was written since. `stop` says that it waits."""

import errno
import threading
import time

import product
import seals
import support
from support import SECTOR, check, equal, equal_bytes, expect_errno, pattern, wait_until

WRITE, READ, COUNT = 4096, 16384, 8
DEADLINE_S = 4
STUCK_READS = 20  # more than the threads that serve requests


def late_write(t):
    main = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    seals.set_request_deadline(dm.spare, DEADLINE_S * 1000)
    device = dm.start("fuse")
    main.fault("slow:3600000", f"{WRITE}+{COUNT}")
    main.fault("slow:3600000", f"{READ}+{STUCK_READS * COUNT}")

    def given_up(request):
        began = time.monotonic()
        with expect_errno(errno.EIO):
            request()
        took.append(time.monotonic() - began)

    took = []
    first, second = pattern(WRITE, COUNT, "first"), pattern(WRITE, COUNT, "second")
    threads = [threading.Thread(
        target=given_up, args=(lambda: support.write_sectors(device, WRITE, first),))]
    threads += [threading.Thread(
        target=given_up,
        args=(lambda at=READ + i * COUNT: support.read_sectors(device, at, COUNT),))
        for i in range(STUCK_READS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(len(took), len(threads), "all are answered with EIO")
    check(min(took) > DEADLINE_S - 0.1, f"not before the deadline: {min(took)}")

    # Others serve, although all threads of before wait for the drive. (A flush would wait with it: of
    # a file that a late write holds, the kernel lets none through.)
    equal_bytes(support.read_sectors(device, 0, COUNT), pattern(0, COUNT, "old"), "elsewhere")
    support.write_sectors(device, WRITE, second)
    equal_bytes(support.read_sectors(device, WRITE, COUNT), second, "written since")
    equal(dm.status()["state"], "degraded", "it says that something is wrong")
    refused = dm.run("stop", dm.name, expect=3)
    check("given up" in refused.err, f"stop says why not: {refused}")

    main.clear()
    wait_until(lambda: dm.run("stop", dm.name, expect=None).exit == 0, "it stops when main answers")
    with open(main.image, "rb") as image:
        image.seek(WRITE * SECTOR)
        equal_bytes(image.read(COUNT * SECTOR), first, "on main, where the late write landed last")
    device = dm.start("fuse")
    equal_bytes(support.read_sectors(device, WRITE, COUNT), second, "after a restart")
    dm.stop()


support.run_test(late_write, root=True, fuse=True)
