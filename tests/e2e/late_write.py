#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 1: a drive that keeps requests for longer than their deadline is answered for; a write that
it carries out later does not replace what was written since. `stop` says that it waits."""

import errno
import os
import signal
import sys
import threading
import time

import nbd_client
import product
import seals
import support
from support import SECTOR, check, equal, equal_bytes, expect_errno, pattern, wait_until

WRITE, READ, COUNT = 4096, 16384, 8
DEADLINE_S = 4
STUCK_READS = 20  # more than the threads that serve requests


class FileUser:
    """Requests of programs that each have the file open."""

    def __init__(self, device):
        self.device = device

    def read(self, sector):
        return support.read_sectors(self.device, sector, COUNT)

    def write(self, sector, data):
        support.write_sectors(self.device, sector, data)


class NbdUser:
    """Requests of clients that are each connected on their own."""

    def __init__(self, device):
        self.socket = product.socket_of(device)

    def read(self, sector):
        with nbd_client.Client(self.socket) as disk:
            return disk.read(sector * SECTOR, COUNT * SECTOR)

    def write(self, sector, data):
        with nbd_client.Client(self.socket) as disk:
            disk.write(sector * SECTOR, data)


USERS = {"fuse": FileUser, "nbd": NbdUser}


def late_write(t):
    for what in sys.argv[1:] or [*USERS, "signal"]:
        if what == "signal":
            _ended_by_signal(t)
        else:
            _late_write(t, what)


def _set_whose_main_hangs(t, kind):
    main = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, main.path, t.path(f"spare-{kind}"))
    dm.create("--spare-size", "32MiB")
    seals.set_request_deadline(dm.spare, DEADLINE_S * 1000)
    user = USERS[kind](dm.start(kind))
    main.fault("slow:3600000", f"{WRITE}+{COUNT}")
    main.fault("slow:3600000", f"{READ}+{STUCK_READS * COUNT}")
    return main, dm, user


def _ended_by_signal(t):
    """A stop that a signal wanted is done when the drive has answered."""
    main, dm, user = _set_whose_main_hangs(t, "fuse")
    with expect_errno(errno.EIO):
        user.write(WRITE, pattern(WRITE, COUNT, "late"))
    pid = dm.status()["pid"]
    os.kill(pid, signal.SIGTERM)
    time.sleep(2)
    check(product.is_alive(pid), "it waits for the drive")
    main.clear()
    wait_until(lambda: not product.is_alive(pid), "it ended when the drive had answered")
    dm.start("fuse")
    equal(dm.events("start")[-1]["text"], "", "the last run ended cleanly")
    dm.stop()


def _late_write(t, kind):
    main, dm, user = _set_whose_main_hangs(t, kind)
    took = []

    def given_up(request, *args):
        began = time.monotonic()
        with expect_errno(errno.EIO):
            request(*args)
        took.append(time.monotonic() - began)

    first, second = pattern(WRITE, COUNT, "first"), pattern(WRITE, COUNT, "second")
    threads = [threading.Thread(target=given_up, args=(user.write, WRITE, first))]
    threads += [threading.Thread(target=given_up, args=(user.read, READ + i * COUNT))
                for i in range(STUCK_READS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(len(took), len(threads), "all are answered with EIO")
    check(min(took) > DEADLINE_S - 0.1, f"not before the deadline: {min(took)}")

    # Others serve, although all threads of before wait for the drive. (A flush would wait with it: of
    # a file that a late write holds, the kernel lets none through.)
    equal_bytes(user.read(0), pattern(0, COUNT, "old"), "elsewhere")
    user.write(WRITE, second)
    equal_bytes(user.read(WRITE), second, "written since")
    equal(dm.status()["state"], "degraded", "it says that something is wrong")
    refused = dm.run("stop", dm.name, expect=3)
    check("given up" in refused.err, f"stop says why not: {refused}")
    if kind == "nbd":
        # A dead nbdkit is replaced although the drive has still not answered.
        os.kill(product.nbdkit_of(dm.status()["pid"]), signal.SIGKILL)
        equal_bytes(user.read(WRITE), second, "by the next nbdkit")

    main.clear()
    wait_until(lambda: dm.run("stop", dm.name, expect=None).exit == 0, "it stops when main answers")
    with open(main.image, "rb") as image:
        image.seek(WRITE * SECTOR)
        equal_bytes(image.read(COUNT * SECTOR), first, "on main, where the late write landed last")
    user = USERS[kind](dm.start(kind))
    equal_bytes(user.read(WRITE), second, "after a restart")
    dm.stop()


support.run_test(late_write, root=True, fuse=True)
