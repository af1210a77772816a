#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of nbdkit in the middle of writing by four connections while sectors go bad, several
times: every write that was acknowledged is there after the next start, and every sector is whole."""

import os
import random
import sys
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "e2e"))

import nbd_client
import product
import stamps
import support
from support import check, equal

ROUNDS, WRITERS, BLOCKS = 8, 4, 500


class _Writer(threading.Thread):
    """Writes stamped blocks of its own until the server is gone; knows what was answered."""

    def __init__(self, socket, index, number):
        super().__init__(daemon=True)
        self.disk = nbd_client.Client(socket)
        self.index, self.number = index, number
        self.done, self.begun = {}, {}

    def run(self):
        chosen = random.Random(self.number)
        try:
            while True:
                sector = (self.index * BLOCKS + chosen.randrange(BLOCKS)) * stamps.BLOCK_SECTORS
                self.number += 1
                self.begun.setdefault(sector, set()).add(self.number)
                self.disk.write(sector * 512, stamps.block_of(sector, self.number),
                                fua=self.number % 3 == 0)
                self.done[sector] = self.number
                del self.begun[sector]
        except (OSError, ConnectionError):
            self.disk.close()


def _verify(disk, last, open_writes):
    for sector, number in last.items():
        allowed = {number} | open_writes.get(sector, set())
        data = disk.read(sector * 512, stamps.BLOCK_SECTORS * 512)
        found = {stamps.number_of(sector + i, data[i * 512:(i + 1) * 512])
                 for i in range(stamps.BLOCK_SECTORS)}
        check(found <= allowed, f"block at {sector}: holds {found}, acknowledged {number}, "
                                f"under way {open_writes.get(sector)}")


def kill_and_verify(t):
    main = t.lab(size="16MiB")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("nbd")
    socket = product.socket_of(dm.device)
    last, chosen = {}, random.Random(7)
    for number in range(1, ROUNDS + 1):
        writers = [_Writer(socket, index, number * 1_000_000 + index * 100_000)
                   for index in range(WRITERS)]
        for writer in writers:
            writer.start()
        time.sleep(0.2)
        for _ in range(4):
            sector = chosen.randrange(WRITERS * BLOCKS * stamps.BLOCK_SECTORS)
            main.fault("write", f"{sector}+{chosen.choice((1, 2, 8, 20))}")
        time.sleep(chosen.uniform(0.1, 0.4))
        dm.kill()
        open_writes = {}
        for writer in writers:
            writer.join(timeout=300)
            last.update(writer.done)
            for sector, numbers in writer.begun.items():
                open_writes.setdefault(sector, set()).update(numbers)
        dm.start("nbd", by_devices=number % 2 == 0)
        with nbd_client.Client(socket) as disk:
            _verify(disk, last, open_writes)
            # What was under way may have come through: it is what the block holds from now on.
            for sector in open_writes:
                last.pop(sector, None)
        print(f"round {number}: {len(last)} blocks, "
              f"{dm.status()['remapped_sectors']} sectors remapped", flush=True)
    status = dm.status()
    check(status["remapped_sectors"] > 0, f"sectors went bad under the writers: {status}")
    equal(status["lost_sectors"], 0, "lost sectors")
    check(len(last) > 100, "the writers wrote")
    dm.stop()


support.run_test(kill_and_verify, root=True, fuse=True, programs=["nbdkit"])
