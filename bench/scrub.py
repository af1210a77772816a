#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the background scan costs who uses the disk: the latency of requests through the block device
of a set whose main is a lab's disk with an arm, with the scan (`scrub resume`) and without it
(`scrub pause`).

Each load has a set and a disk of its own, and many of them run at the same time: the arms sleep, so
they leave the machine idle. Of each pair of runs, with and without in an order that a coin decides,
both send the same requests to the same places. Quoted is the mean over all pairs of the change of a
run's mean and of its 99th percentile, with a 95 % interval by Student's t, and the median.

What serves the disk and the set, and what asks, runs with a real-time priority, so that other programs
on the machine are measured as little as can be. The threads of the kernel that serve loop devices
have no such priority: where much else goes on, --files leaves them out, and main and the set are
files. Of what a file's disk does the scan sees less (DiskLoad), so it gets on more slowly there.

Exit status 1: the scan got on less than is stated, or a goal is missed for sure."""

import argparse
import concurrent.futures
import contextlib
import itertools
import os
import random
import sys
import tempfile
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

import product
import support
from scan_cost import (DEPTHS, DISK_BYTES, LEAST_PAIRS, LEAST_PROGRESS, MODES, Comparison, Load, Size,
                       report, report_full_speed, shapes)
from support import GIB, MIB, SECTOR, check

BENCH_LATENCY = os.environ.get("BENCH_LATENCY",
                               os.path.join(support.ROOT, "build/bin/bench_latency"))
# About a second's requests of this arm in a burst; busy for two seconds.
SIZE, QUICK = Size(burst=115, bursts=3, busy=230), Size(burst=28, bursts=3, busy=56)
# LEAST_PROGRESS where main is a file, of whose disk the scan sees less.
LEAST_PROGRESS_OF_FILES = {1: 60, 2: 60, 32: 1}


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=LEAST_PAIRS)
    parser.add_argument("--seed", type=int, default=1, help="of the places and of the coin")
    parser.add_argument("--files", action="store_true",
                        help="without loop devices, for a machine that has much else to do")
    parser.add_argument("--quick", action="store_true", help="a test: too short to say anything")
    parser.add_argument("--dir", default="/dev/shm",
                        help="where the images go for the time being (default: %(default)s)")
    return parser.parse_args()


# What runs a program as soon as it can be run. Empty where that is not allowed.
AT_ONCE = ["chrt", "--rr", "1"]


@contextlib.contextmanager
def at_once():
    """What is started meanwhile runs as soon as it can be run."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        AT_ONCE.clear()
        yield
        return
    try:
        yield
    finally:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


def run(load, device, seed):
    """The latencies of one run, in ms."""
    done = support.run(*AT_ONCE, BENCH_LATENCY, device, *load.options(seed), timeout=600)
    found = [int(line) / 1e6 for line in done.out.splitlines()]
    support.equal(len(found), load.requests, f"requests of {load.name}")
    return found


class Bed:
    """A set on a lab's disk with an arm, for loads of one shape."""

    _numbers = itertools.count()

    def __init__(self, t, mode, shape, files):
        self.mode, self.shape = mode, shape
        number = str(next(self._numbers))
        with at_once():
            self.disk = t.lab(image=t.image(f"arm{number}.img", DISK_BYTES))
            main = self.disk.path if files else t.loop(self.disk.path)
            self.dm = product.Product(t, main, t.path(f"spare{number}"))
            self.dm.create("--spare-size", "64MiB")
            self.device = self.dm.start("fuse" if files else "block")
        # It begins at once, not ten minutes after the start of the set.
        self.scrub("start")
        self.scrub("pause")
        support.dmremap_lab("mode", self.disk.path, mode)

    def scrub(self, *words):
        self.dm.run("scrub", self.dm.name, *words)

    def scanned_mib(self):
        now = self.dm.status()["scrub"]
        return now["scanned_sectors"] * SECTOR / MIB + now["passes"] * DISK_BYTES / MIB


def compare(comparison, bed, pairs, seed, stop, switch_on=("resume",)):
    """Adds pairs of runs of its load on this bed."""
    load = comparison.load
    coin = random.Random(f"{seed} {load.name}")
    for pair in range(pairs):
        for scans in coin.sample((True, False), 2):
            if stop.is_set():
                return
            before, began = bed.scanned_mib(), time.monotonic()
            bed.scrub(*(switch_on if scans else ("pause",)))
            comparison.add(scans, run(load, bed.device, seed * 1000 + pair))
            bed.scrub("pause")
            if scans:
                comparison.add_progress(bed.scanned_mib() - before, time.monotonic() - began)


def all_at_once(work):
    """Runs each of these functions of an event in a thread; the event tells them to end."""
    stop = threading.Event()
    with concurrent.futures.ThreadPoolExecutor(len(work)) as pool:
        try:
            for done in concurrent.futures.as_completed([pool.submit(one, stop) for one in work]):
                done.result()
        finally:
            stop.set()


def measure(beds, light, pairs, seed, quick):
    """{bed: what came out}, of a load of its own on each."""
    found = {bed: Comparison(Load(QUICK if quick else SIZE, light, *bed.shape)) for bed in beds}
    began, load_before = time.monotonic(), os.getloadavg()[0]
    all_at_once([lambda stop, bed=bed: compare(found[bed], bed, pairs, seed, stop) for bed in beds])
    print(f"\n{len(beds)} {'light' if light else 'busy'} loads at once, {pairs} pairs in "
          f"{time.monotonic() - began:.0f} s. Load average before and after: {load_before:.1f}, "
          f"{os.getloadavg()[0]:.1f}", flush=True)
    return found


def at_full_speed(beds, pairs, seed):
    found = {bed: Comparison(Load(QUICK, False, False, False, 1)) for bed in beds}
    all_at_once([lambda stop, bed=bed: compare(found[bed], bed, pairs, seed, stop,
                                               ("start", "--now")) for bed in beds])
    return report_full_speed([(bed.mode, it) for bed, it in found.items()])


def bench(t, arguments):
    quick, seed = arguments.quick, arguments.seed
    pairs = 1 if quick else arguments.pairs
    check(quick or pairs >= LEAST_PAIRS, f"fewer than {LEAST_PAIRS} pairs say nothing")
    print(f"Change of the latency with the scan against without, {pairs} pairs of runs, on disks of "
          f"{DISK_BYTES // GIB} GiB, {'files' if arguments.files else 'loop devices'}", flush=True)
    beds = {mode: [Bed(t, mode, shape, arguments.files)
                   for shape in shapes((1, 32) if quick else DEPTHS)] for mode in MODES}
    wrong, least = [], LEAST_PROGRESS_OF_FILES if arguments.files else LEAST_PROGRESS

    def tables(name, found):
        for mode, words in MODES.items():
            of_mode = [found[bed] for bed in beds[mode] if bed in found]
            nonlocal wrong
            wrong += report(f"{name}, {words} (`{mode}`)", of_mode, least) if of_mode else []

    tables("Light", measure(sum(beds.values(), []), True, pairs, seed, quick))
    for of_mode in beds.values():
        # Twelve streams at once are as much as a small machine can carry.
        tables("Busy", measure(of_mode, False, pairs, seed, quick))
    # What so few requests say of the goals is chance.
    wrong = [] if quick else wrong
    wrong += at_full_speed([of_mode[0] for of_mode in beds.values()], 1 if quick else 5, seed)
    for line in wrong:
        print(f"\nMISSED: {line}")
    check(not wrong, f"{len(wrong)} goals are missed")
    print("\nNo goal is missed.")


def main():
    arguments = parse_arguments()
    tempfile.tempdir = arguments.dir
    def scrub_bench(t):
        bench(t, arguments)

    support.run_test(scrub_bench, root=True, fuse=True, loop=True, programs=("chrt",))


if __name__ == "__main__":
    main()
