# SPDX-License-Identifier: GPL-2.0-or-later
"""What the two benches share that compare requests to a set with and without its background scan, on
the machine's own clock (scrub.py) and on one that counts instructions (scrub_virtual.py): the loads,
the statistics, the verdicts and the tables."""

import math
import statistics
from dataclasses import dataclass

from support import GIB, KIB

MODES = {"arm:8,15": "in order of arrival", "arm:8,15+streams": "a drive that prefers streams"}
DISK_BYTES = 16 * GIB
DEPTHS = (1, 2, 32)
LEAST_PAIRS = 20
GOAL_PERCENT = 1.0
# MiB an hour that a scan must read beside a light load. Requests at depth 32 that meet a read of the
# scan come many at once, and are to be made good before the next one.
LEAST_PROGRESS = {1: 100, 2: 100, 32: 30}
# What a scan that keeps no pace must be seen to cost; otherwise nothing is measured.
LEAST_AT_FULL_SPEED = 20.0
# So many intervals are looked at together, and chance must not miss one of them in any.
LEVEL, LEVEL_OF_ALL = 0.95, 1 - 0.05 / 96


@dataclass(frozen=True)
class Size:
    """Of a run, in requests."""

    burst: int  # of a light one, after a pause each
    bursts: int
    busy: int


# Between two bursts, and before the first one.
PAUSE_MS = 2500


class Load:
    """What the foreground asks for."""

    def __init__(self, size, light, sequential, write, depth):
        self.light, self.depth = light, depth
        self.name = (f"{'light' if light else 'busy'}, {'sequential' if sequential else 'random'} "
                     f"{'writes' if write else 'reads'}, depth {depth}")
        self.write, self.random, self.burst = write, not sequential, size.burst
        self.block = 128 * KIB if sequential else 4 * KIB
        self.requests = size.burst * size.bursts if light else size.busy
        # A stream begins where the one before began: what is written stays small in memory.
        self.size = self.requests * self.block if sequential else DISK_BYTES

    def options(self, seed):
        """For bench_latency, which prints the latencies of one run in ns."""
        options = [name for name, given in (("--write", self.write), ("--random", self.random))
                   if given]
        if self.light:
            options += ["--burst", self.burst, "--pause-ms", PAUSE_MS]
        return options + ["--block", self.block, "--depth", self.depth, "--requests",
                          self.requests, "--size", self.size, "--seed", seed]


def shapes(depths=DEPTHS):
    """(sequential, write, depth)"""
    return [(sequential, write, depth) for sequential in (False, True) for write in (False, True)
            for depth in depths]


class Side:
    """All runs with the scan, or all without."""

    def __init__(self):
        self.means, self.p99s, self.worst = [], [], 0.0

    def add(self, latencies):
        self.means.append(statistics.fmean(latencies))
        self.p99s.append(percentile_99(latencies))
        self.worst = max(self.worst, *latencies)


class Comparison:
    """Pairs of runs of one load."""

    def __init__(self, load):
        self.load = load
        self.sides = {True: Side(), False: Side()}
        self.scanned_mib, self.scan_s = 0.0, 0.0

    def add(self, scans, latencies):
        """One run: milliseconds."""
        self.sides[scans].add(latencies)

    def add_progress(self, mib, seconds):
        """Of the scan, in one run."""
        self.scanned_mib += mib
        self.scan_s += seconds

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


def report(title, comparisons, least, must_show=False):
    """Prints a table; returns what is wrong. `least`: MiB an hour beside a light load, by depth.
    `must_show`: an open goal is a wrong one."""
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
        elif must_show and "open" in said:
            wrong.append(f"{title}: {it.load.name}: within {GOAL_PERCENT} % is not shown")
        if it.load.light and it.progress() < least[it.load.depth]:
            wrong.append(f"{title}: {it.load.name}: {least[it.load.depth]} MiB/h")
    return wrong


def report_full_speed(found):
    """What a scan without pace costs, [(disk, comparison)]: the measure of the measurement. Prints a
    table; returns what is wrong."""
    print("\n### For comparison: `scrub start --now`, which keeps no pace\n")
    print("| disk | foreground | mean, %: mean (95 %), median | worst, ms | worst alone | "
          "scanned, MiB/h |\n| --- | --- | --: | --: | --: | --: |")
    wrong = []
    for disk, it in found:
        change = it.change("means")
        print(f"| {disk} | {it.load.name} | {text(change)} | {it.sides[True].worst:.0f} | "
              f"{it.sides[False].worst:.0f} | {it.progress():.0f} |", flush=True)
        if change[0] < LEAST_AT_FULL_SPEED:
            wrong.append(f"{disk}: what a scan at full speed costs is seen")
    return wrong
