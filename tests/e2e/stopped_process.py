#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 5: a process that stands still for longer than a request's deadline, stopped by a signal or
with a machine that sleeps, is no slow disk: only the bad sectors move."""

import os
import signal
import threading
import time

import product
import seals
import support
from support import SECTOR, check, equal, equal_bytes, pattern

BAD, BAD_COUNT = 5000, 8
FIRST, COUNT = 4096, 2048
DEADLINE_S = 10
STOPPED_S = DEADLINE_S + 2


def _daemon(dm):
    return int(dm.status()["pid"])


def stopped_process(t):
    main = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    seals.set_request_deadline(dm.spare, DEADLINE_S * 1000)
    device = dm.start("fuse")
    # A failing drive takes its time, so that the stop comes in the middle of the search.
    main.fault("write+slow:150", f"{BAD}+{BAD_COUNT}")
    pid = _daemon(dm)
    data = pattern(FIRST, COUNT, "new")
    done = []
    writer = threading.Thread(
        target=lambda: done.append(support.write_sectors(device, FIRST, data)))
    writer.start()
    time.sleep(0.5)
    os.kill(pid, signal.SIGSTOP)
    try:
        time.sleep(STOPPED_S)
    finally:
        os.kill(pid, signal.SIGCONT)
    writer.join(timeout=300)
    check(done, "the write succeeds")
    equal(dm.status()["remapped_sectors"], BAD_COUNT, "only the bad sectors move")
    equal_bytes(support.read_sectors(device, FIRST, COUNT), data, "written")
    with open(main.image, "rb") as image:
        image.seek((FIRST + 100) * SECTOR)
        equal_bytes(image.read(SECTOR), pattern(FIRST + 100, 1, "new"), "a good sector, on main")
    dm.stop()


support.run_test(stopped_process, root=True, fuse=True)
