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
import math
import os
import random
import statistics
import sys
import tempfile
import threading
import time

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

import product
import support
from support import GIB, KIB, MIB, SECTOR, check

BENCH_LATENCY = os.environ.get("BENCH_LATENCY",
                               os.path.join(support.ROOT, "build/bin/bench_latency"))
MODES = {"arm:8,15": "in order of arrival", "arm:8,15+streams": "a drive that prefers streams"}
DISK_BYTES = 16 * GIB
DEPTHS = (1, 2, 32)
BURSTS, PAUSE_MS = 3, 2500  # of a light run
# About a second's requests of this arm.
BURST = 115
BUSY_S = 2
GOAL_PERCENT = 1.0
# MiB an hour that a scan must read beside a light load. Requests at depth 32 that meet a read of the
# scan come many at once, and are to be made good before the next one.
LEAST_PROGRESS = {1: 100, 2: 100, 32: 30}
LEAST_PROGRESS_OF_FILES = {1: 60, 2: 60, 32: 1}
# What a scan that keeps no pace must be seen to cost; otherwise nothing is measured here.
LEAST_AT_FULL_SPEED = 20.0


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1, help="of the places and of the coin")
    parser.add_argument("--files", action="store_true",
                        help="without loop devices, for a machine that has much else to do")
    parser.add_argument("--quick", action="store_true", help="a test: too short to say anything")
    parser.add_argument("--dir", default="/dev/shm",
                        help="where the images go for the time being (default: %(default)s)")
    return parser.parse_args()


# What runs a program as soon as it can be run. Empty where that is not allowed.
AT_ONCE = ["chrt", "--rr", "1"]
# So many intervals are looked at together, and chance must not miss one of them in any.
LEVEL, LEVEL_OF_ALL = 0.95, 1 - 0.05 / 96


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


class Load:
    """What the foreground asks for."""

    def __init__(self, light, sequential, write, depth, quick=False):
        self.light, self.depth = light, depth
        self.name = (f"{'light' if light else 'busy'}, {'sequential' if sequential else 'random'} "
                     f"{'writes' if write else 'reads'}, depth {depth}")
        self.write, self.random = write, not sequential
        self.block = 128 * KIB if sequential else 4 * KIB
        self.burst = BURST // (4 if quick else 1)
        self.requests = self.burst * (BURSTS if light else BUSY_S)
        # A stream begins where the one before began: what is written stays small in memory.
        self.size = self.requests * self.block if sequential else DISK_BYTES

    def run(self, device, seed):
        """The latencies of one run, in ms."""
        options = [name for name, given in (("--write", self.write), ("--random", self.random))
                   if given]
        if self.light:
            options += ["--burst", self.burst, "--pause-ms", PAUSE_MS]
        done = support.run(*AT_ONCE, BENCH_LATENCY, device, *options, "--block", self.block,
                           "--depth", self.depth, "--requests", self.requests, "--size", self.size,
                           "--seed", seed, timeout=600)
        found = [int(line) / 1e6 for line in done.out.splitlines()]
        support.equal(len(found), self.requests, f"requests of {self.name}")
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


class Side:
    """All runs with the scan, or all without."""

    def __init__(self):
        self.means, self.p99s, self.worst = [], [], 0.0

    def add(self, latencies):
        self.means.append(statistics.fmean(latencies))
        self.p99s.append(percentile_99(latencies))
        self.worst = max(self.worst, *latencies)


class Comparison:
    """Pairs of runs of one load on one bed."""

    def __init__(self, load):
        self.load = load
        self.sides = {True: Side(), False: Side()}
        self.scanned_mib, self.scan_s = 0.0, 0.0

    def measure(self, bed, pairs, seed, stop, switch_on=("resume",)):
        coin = random.Random(f"{seed} {self.load.name}")
        for pair in range(pairs):
            for scans in coin.sample((True, False), 2):
                if stop.is_set():
                    return
                before, began = bed.scanned_mib(), time.monotonic()
                bed.scrub(*(switch_on if scans else ("pause",)))
                self.sides[scans].add(self.load.run(bed.device, seed * 1000 + pair))
                bed.scrub("pause")
                if scans:
                    self.scanned_mib += bed.scanned_mib() - before
                    self.scan_s += time.monotonic() - began

    def change(self, what, level=LEVEL):
        """(mean, lower and upper end of its interval, median) in percent, over all pairs."""
        pairs = zip(getattr(self.sides[True], what), getattr(self.sides[False], what))
        logs = [math.log(scan / alone) for scan, alone in pairs]
        middle = statistics.fmean(logs)
        half = math.inf
        if len(logs) > 1:
            half = student_t(level, len(logs) - 1) * statistics.stdev(logs) / math.sqrt(len(logs))
        return tuple(100 * math.expm1(x)
                     for x in (middle, middle - half, middle + half, statistics.median(logs)))

    def progress(self):
        """MiB an hour."""
        return self.scanned_mib / self.scan_s * 3600


def percentile_99(values):
    ordered = sorted(values)
    return ordered[math.ceil(0.99 * len(ordered)) - 1]


def student_t(level, freedom):
    """The two-sided quantile, by its expansion about the normal one: right to 1 % from ten on."""
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    return (z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2) +
            (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3))


def verdict(comparison, what):
    """Of the goal: kept or missed where its interval says so, else open."""
    if comparison.change(what, LEVEL_OF_ALL)[1] > GOAL_PERCENT:
        return "missed"
    return "kept" if comparison.change(what)[2] <= GOAL_PERCENT else "open"


def text(change):
    middle, low, high, median = change
    return f"{middle:+.2f} ({low:+.2f} to {high:+.2f}), {median:+.2f}"


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
    found = {bed: Comparison(Load(light, *bed.shape, quick)) for bed in beds}
    began, load_before = time.monotonic(), os.getloadavg()[0]
    all_at_once([lambda stop, bed=bed: found[bed].measure(bed, pairs, seed, stop) for bed in beds])
    print(f"\n{len(beds)} {'light' if light else 'busy'} loads at once, {pairs} pairs in "
          f"{time.monotonic() - began:.0f} s. Load average before and after: {load_before:.1f}, "
          f"{os.getloadavg()[0]:.1f}", flush=True)
    return found


def report(title, comparisons, least):
    """Prints a table; returns what is wrong."""
    print(f"\n### {title}\n")
    print("| foreground | requests a run | mean alone, ms | mean, %: mean (95 %), median | "
          "p99, %: mean (95 %), median | worst, ms | worst alone | scanned, MiB/h | "
          "within 1 %: mean, p99 |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: | --- |")
    wrong = []
    for it in comparisons:
        mean, p99 = it.change("means"), it.change("p99s")
        said = [verdict(it, "means"), verdict(it, "p99s")]
        print(f"| {it.load.name} | {it.load.requests} | "
              f"{statistics.fmean(it.sides[False].means):.2f} | {text(mean)} | {text(p99)} | "
              f"{it.sides[True].worst:.0f} | {it.sides[False].worst:.0f} | {it.progress():.0f} | "
              f"{', '.join(said)} |", flush=True)
        if "missed" in said:
            wrong.append(f"{title}: {it.load.name}: within {GOAL_PERCENT} %")
        if it.load.light and it.progress() < least[it.load.depth]:
            wrong.append(f"{title}: {it.load.name}: {least[it.load.depth]} MiB/h")
    return wrong


def at_full_speed(beds, pairs, seed):
    """What a scan without pace costs on each bed: the measure of the measurement."""
    found = {bed: Comparison(Load(False, False, False, 1, quick=True)) for bed in beds}
    all_at_once([lambda stop, bed=bed: found[bed].measure(bed, pairs, seed, stop,
                                                          ("start", "--now")) for bed in beds])
    print("\n### For comparison: `scrub start --now`, which keeps no pace\n")
    print("| disk | foreground | mean, %: mean (95 %), median | worst, ms | worst alone | "
          "scanned, MiB/h |\n| --- | --- | --: | --: | --: | --: |")
    wrong = []
    for bed, it in found.items():
        change = it.change("means")
        print(f"| {bed.mode} | {it.load.name} | {text(change)} | {it.sides[True].worst:.0f} | "
              f"{it.sides[False].worst:.0f} | {it.progress():.0f} |", flush=True)
        if change[0] < LEAST_AT_FULL_SPEED:
            wrong.append(f"{bed.mode}: what a scan at full speed costs is seen")
    return wrong


def bench(t, arguments):
    quick, seed = arguments.quick, arguments.seed
    pairs = 1 if quick else arguments.pairs
    check(quick or pairs >= 20, "fewer than 20 pairs say nothing")
    shapes = [(sequential, write, depth) for sequential in (False, True)
              for write in (False, True) for depth in ((1, 32) if quick else DEPTHS)]
    print(f"Change of the latency with the scan against without, {pairs} pairs of runs, on disks of "
          f"{DISK_BYTES // GIB} GiB, {'files' if arguments.files else 'loop devices'}", flush=True)
    beds = {mode: [Bed(t, mode, shape, arguments.files) for shape in shapes] for mode in MODES}
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
