#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kill -9 of the daemon in the middle of writing, 10 times, while sectors go bad: every write that
was acknowledged is there after the next start, and every sector is whole.

    kill_and_verify.py [SEED]       where the sectors go bad, and when it is killed"""

import os
import random
import subprocess
import sys
import time

import product
import stamps
import support
from support import MIB, check, equal

ROUNDS = int(os.environ.get("DMREMAP_KILL_ROUNDS", "10"))
WRITERS = 3
BLOCKS_PER_WRITER = 600
FIO_OFFSET, FIO_SIZE = 32 * MIB, 8 * MIB


def _start_writers(t, device, number):
    """The processes and their logs. Each has its own blocks, so that order is known."""
    writers = []
    for index in range(WRITERS):
        log = t.path(f"log{number}-{index}")
        process = subprocess.Popen(
            [sys.executable, stamps.__file__, device, log, str(index * BLOCKS_PER_WRITER),
             str(BLOCKS_PER_WRITER), str(number * 1_000_000), str(number * 10 + index)],
            stderr=subprocess.DEVNULL)
        t.cleanup.push(_end, process)
        writers.append((process, log))
    return writers


def _start_fio(t, device, number):
    """Sector by sector, so that a write cut short still leaves whole blocks to verify."""
    process = subprocess.Popen(
        ["fio", "--name=load", f"--filename={device}", f"--offset={FIO_OFFSET}",
         f"--size={FIO_SIZE}", "--rw=randwrite", "--bs=512", "--direct=1", "--ioengine=libaio",
         "--iodepth=8", "--verify=crc32c", "--do_verify=0", f"--randseed={number + 1}",
         "--time_based", "--runtime=60", "--verify_state_save=0"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    t.cleanup.push(_end, process)
    return process


def _end(process):
    process.kill()
    process.wait()


def _fail_some_sectors(disk, chosen):
    """Write errors: what main holds stays readable, so nothing acknowledged may be lost."""
    for _ in range(4):
        sector = chosen.randrange(WRITERS * BLOCKS_PER_WRITER * stamps.BLOCK_SECTORS)
        disk.fault("write", f"{sector}+{chosen.choice((1, 2, 8, 20))}")
    sector = (FIO_OFFSET + chosen.randrange(FIO_SIZE)) // 512
    disk.fault("write", f"{sector}+{chosen.choice((1, 5))}")


def kill_and_verify(t):
    disk = t.lab(size="48MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    equal(product.fio_errors(product.fio(device, size=FIO_SIZE, block="512",
                                         options=[f"--offset={FIO_OFFSET}"])), 0, "fio's errors")
    known = stamps.Acknowledged()
    chosen = random.Random(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
    for number in range(1, ROUNDS + 1):
        writers = _start_writers(t, device, number)
        load = _start_fio(t, device, number)
        time.sleep(0.3)
        _fail_some_sectors(disk, chosen)
        time.sleep(chosen.uniform(0.05, 0.6))
        dm.kill()
        for process, log in writers:
            process.wait(timeout=300)
            known.read(log)
        load.wait(timeout=300)
        device = dm.start("block", by_devices=number % 2 == 0)
        known.verify(device)
        equal(product.fio_errors(product.fio(device, size=FIO_SIZE, rw="read", block="512",
                                             options=[f"--offset={FIO_OFFSET}"])),
              0, f"sectors of fio's that do not verify after round {number}")
        print(f"round {number}: {len(known)} blocks hold what was acknowledged, "
              f"{dm.status()['remapped_sectors']} sectors remapped", flush=True)
    status = dm.status()
    check(status["remapped_sectors"] > 0, f"sectors went bad under the writers: {status}")
    equal(status["lost_sectors"], 0, "lost sectors")
    check(len(known) > 100, "the writers wrote")


support.run_test(kill_and_verify, root=True, fuse=True, loop=True, programs=["fio"])
