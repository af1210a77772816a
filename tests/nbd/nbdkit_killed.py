#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of nbdkit in the middle of writing by four connections while sectors go bad, again and again:
the set's process goes on, another nbdkit serves at the same socket, and the clients connect again and
read every write that was acknowledged, whole."""

import os
import random
import signal
import sys
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import nbd_client
import product
import stamps
import support
from support import check, equal

KILLS, WRITERS, BLOCKS = 20, 4, 300


_NOTHING = 0


def _held(sector, data):
    """The write that a sector holds; None if it is not whole."""
    return _NOTHING if not any(data) else stamps.number_of(sector, data)


class _Writer(threading.Thread):
    """Writes stamped blocks of its own, connects again whenever the server is gone, and reads what
    it was acknowledged before."""

    def __init__(self, socket, index):
        super().__init__(daemon=True)
        self.socket, self.index = socket, index
        self.number = (index + 1) * 1_000_000
        self.allowed = {}  # the stamps that a block may hold: acknowledged, and under way since
        self.connections = 0
        self.done = threading.Event()
        self.failure = None
        self.chosen = random.Random(index)

    def run(self):
        while not self.done.is_set() and self.failure is None:
            try:
                with nbd_client.Client(self.socket) as disk:
                    self.connections += 1
                    self._work(disk)
            except (OSError, ConnectionError):
                continue  # nbdkit was killed
            except (AssertionError, support.CheckFailed) as error:
                self.failure = error

    def _work(self, disk):
        for sector in self.chosen.sample(sorted(self.allowed), min(20, len(self.allowed))):
            self.verify(disk, sector)
        while not self.done.is_set():
            sector = (self.index * BLOCKS + self.chosen.randrange(BLOCKS)) * stamps.BLOCK_SECTORS
            self.number += 1
            number = self.number
            self.allowed.setdefault(sector, {_NOTHING}).add(number)
            disk.write(sector * 512, stamps.block_of(sector, number), fua=number % 3 == 0)
            self.allowed[sector] = {number}

    def verify(self, disk, sector):
        data = disk.read(sector * 512, stamps.BLOCK_SECTORS * 512)
        found = {_held(sector + i, data[i * 512:(i + 1) * 512])
                 for i in range(stamps.BLOCK_SECTORS)}
        check(found <= self.allowed[sector],
              f"block at {sector}: holds {found}, may hold {self.allowed[sector]}")


def killed_under_load(main, dm, socket, pid):
    writers = [_Writer(socket, index) for index in range(WRITERS)]
    for writer in writers:
        writer.start()
    chosen = random.Random(7)
    for number in range(KILLS):
        support.wait_until(lambda: product.nbdkit_of(pid) is not None, "nbdkit")
        before = [writer.connections for writer in writers]
        # Now and then it serves long enough to be started again at once.
        time.sleep(2.2 if number % 4 == 0 else chosen.uniform(0.05, 0.3))
        if number % 4 == 0:
            main.fault("write", f"{chosen.randrange(WRITERS * BLOCKS * 8)}+{chosen.choice((1, 8))}")
        victim = product.nbdkit_of(pid)
        os.kill(victim, signal.SIGABRT if number % 5 == 0 else signal.SIGKILL)
        support.wait_until(lambda: product.nbdkit_of(pid) not in (None, victim), "another nbdkit")
        support.wait_until(
            lambda: all(w.connections > b or w.failure for w, b in zip(writers, before)),
            "all clients are connected again")
    for writer in writers:
        writer.done.set()
    for writer in writers:
        writer.join(timeout=300)
        check(writer.failure is None, f"writer {writer.index}: {writer.failure}")
    support.wait_until(lambda: dm.status()["state"] == "healthy", "all is well again")
    status = dm.status()
    equal(status["pid"], pid, "the process of the set")
    check(status["remapped_sectors"] > 0, f"sectors went bad under the writers: {status}")
    equal(status["lost_sectors"], 0, "lost sectors")
    with nbd_client.Client(socket) as disk:
        for writer in writers:
            for sector in writer.allowed:
                writer.verify(disk, sector)
    print(f"{sum(len(w.allowed) for w in writers)} blocks, "
          f"{sum(w.connections for w in writers)} connections", flush=True)
    check(sum(len(w.allowed) for w in writers) > 100, "the writers wrote")
    equal([e["text"] for e in dm.events("start")][1:], [], "starts of the set but the first")


def nbdkit_killed(t):
    main = t.lab(size="16MiB")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("nbd")
    socket = product.socket_of(dm.device)
    pid = dm.status()["pid"]
    killed_under_load(main, dm, socket, pid)
    dm.stop()
    equal(dm.is_running(), False, "running")


support.run_test(nbdkit_killed, root=True, fuse=True, programs=["nbdkit"])
