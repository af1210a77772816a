#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the background scan costs who uses the disk, on a clock that counts instructions: requests
through the block device of a set whose main is a lab's disk with an arm, with the scan (`scrub
resume`) and without it (`scrub pause`).

All of it runs in guests of QEMU (docs/testing.md): a real kernel, its block layer and ublk, the lab
and the product as they are. Only the clock is another one: a nanosecond is an instruction, and time
in which all wait, for the arm above all, is skipped. So nothing that else happens on the machine can be
seen, and a run without the scan takes nearly the same each time, which the runs of "nothing against
nothing" show.

Of each pair of runs, with and without in an order that a coin decides, both send the same requests to
the same places. Quoted is the mean over all pairs of the change of a run's mean and of its 99th
percentile, with a 95 % interval by Student's t, and the median.

Exit status 1: the scan got on less than is stated, or a goal is missed or not shown."""

import argparse
import concurrent.futures
import os
import random
import sys
import tempfile
import time

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[1:1] = [os.path.join(ROOT, "tests/guest"), os.path.join(ROOT, "tests")]

import initrd
import kernels
import machine
import places
import plan
import results
import support
from scan_cost import (DEPTHS, DISK_BYTES, LEAST_PAIRS, LEAST_PROGRESS, MODES, Comparison, Load, Size,
                       report, report_full_speed, shapes, text)
from support import GIB, MIB, SECTOR

PAYLOAD = os.path.join(ROOT, "bench/scrub_guest.sh")
KERNEL = "6.12"
# About a second's requests of this arm in a burst.
SIZE, QUICK = Size(burst=115, bursts=8, busy=345), Size(burst=115, bursts=1, busy=115)
# Beside a scan at full speed.
FULL_SPEED = Size(burst=28, bursts=3, busy=56)
# What two equal sides may differ by, in percent, mean and 99th percentile, by their interval's ends.
LEAST_SEEN = 0.1


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=LEAST_PAIRS)
    parser.add_argument("--seed", type=int, default=1, help="of the places and of the coin")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="guests at once")
    parser.add_argument("--only", default="", metavar="WORDS", help="loads with this in their name")
    parser.add_argument("--quick", action="store_true", help="a test: few loads, and one pair of each")
    return parser.parse_args()


class Task:
    """Pairs of runs of one load on a disk of its own. `sides`: what the guest is told of the runs that
    count as with and without the scan."""

    def __init__(self, mode, load, pairs, sides=("scan", "alone")):
        self.mode, self.load, self.pairs = mode, load, pairs
        self.sides = dict(zip((True, False), sides))

    def plan(self, name, seed):
        """[line] for scrub_guest.sh; what comes out is in files NAME.PAIR.SIDE."""
        coin = random.Random(f"{seed} {self.load.name}")
        # The first writes of a stream are to blocks that the image does not have yet, and take longer.
        first = self.load.options(seed) if self.load.write and not self.load.random else []
        lines = [" ".join(map(str, ["bed", self.mode, *first]))]
        for pair in range(self.pairs):
            options = " ".join(map(str, self.load.options(seed * 1000 + pair)))
            lines += [f"run {self.sides[scans]} {name}.{pair}.{scans} {options}"
                      for scans in coin.sample((True, False), 2)]
        return lines + ["stop"]

    def result(self, directory, name):
        found = Comparison(self.load)
        for pair in range(self.pairs):
            for scans in self.sides:
                path = os.path.join(directory, f"{name}.{pair}.{scans}")
                with open(path, encoding="ascii") as file:
                    latencies = [int(line) / 1e6 for line in file]
                support.equal(len(latencies), self.load.requests, f"requests of {self.load.name}")
                found.add(scans, latencies)
                if scans and self.sides[scans] != "alone":
                    found.add_progress(*progress(f"{path}.scan"))
        return found


def progress(path):
    """(MiB, seconds) of the scan during a run."""
    with open(path, encoding="ascii") as file:
        (began, was), (ended, now) = ((float(at), int(passes) * DISK_BYTES + int(sectors) * SECTOR)
                                      for _, at, passes, sectors in map(str.split, file))
    return (now - was) / MIB, ended - began


def run_in_guest(tasks, seed):
    """[comparison], of a guest of their own."""
    payload = plan.read(PAYLOAD)
    with tempfile.TemporaryDirectory(prefix="dmremap-scrub-") as directory:
        path = os.path.join(directory, "plan")
        with open(path, "w", encoding="ascii") as file:
            for number, task in enumerate(tasks):
                file.write("\n".join(task.plan(number, seed)) + "\n")
        payload.files.append(path)
        kernel = kernels.fetch(KERNEL, places.KERNELS)
        initrd.check(payload, kernel, KERNEL)
        files = os.path.join(directory, "files")
        os.mkdir(files)
        done = machine.Guest(kernel, KERNEL, [payload], files).run()
        failure = done.sections[0].failure() if done.sections else done.trouble
        if failure:
            lines = done.sections[0].lines[-20:] if done.sections else [done.console]
            raise support.CheckFailed("\n".join([failure, *lines]))
        return [task.result(os.path.join(files, payload.name), number)
                for number, task in enumerate(tasks)]


def in_guests(groups, seed, jobs):
    """{task: comparison}"""
    found = {}
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        running = {pool.submit(run_in_guest, tasks, seed): tasks for tasks in groups}
        try:
            for done in concurrent.futures.as_completed(running):
                found.update(zip(running[done], done.result()))
                print(f"{time.strftime('%X')}: {len(found)} of {sum(map(len, groups))} loads",
                      file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True, wait=False)
            raise
    return found


def report_nothing(tasks, found):
    """Two sides without a scan. Prints a table; returns what is wrong."""
    print("\n### For comparison: nothing against nothing, `scrub pause` on both sides\n")
    print("| disk | foreground | mean, %: mean (95 %), median | p99, %: mean (95 %), median |\n"
          "| --- | --- | --: | --: |")
    wrong = []
    for task in tasks:
        changes = [found[task].change(what) for what in ("means", "p99s")]
        print(f"| {task.mode} | {task.load.name} | {' | '.join(map(text, changes))} |", flush=True)
        if task.pairs > 1 and any(max(-low, high) > LEAST_SEEN for _, low, high, _ in changes):
            wrong.append(f"{task.mode}: {task.load.name}: equal sides are equal")
    return wrong


def chosen(arguments):
    """(loads, nothing against nothing, full speed): tasks of each."""
    if arguments.quick:
        loads = [Task("arm:8,15", Load(QUICK, light, False, False, 1), 1) for light in (True, False)]
        return loads, [], [Task("arm:8,15", Load(FULL_SPEED, False, False, False, 1), 1,
                                ("full", "alone"))]
    loads = [Task(mode, Load(SIZE, light, *shape), arguments.pairs)
             for mode in MODES for light in (True, False) for shape in shapes(DEPTHS)]
    loads = [task for task in loads if arguments.only in task.load.name]
    nothing = [Task(mode, Load(SIZE, light, sequential, True, 2), arguments.pairs,
                    ("alone", "alone"))
               for mode, light, sequential in zip(MODES, (True, False), (False, True))]
    full = [Task(mode, Load(FULL_SPEED, False, False, False, 1), 5, ("full", "alone"))
            for mode in MODES]
    return loads, nothing, full


def bench(arguments):
    quick, began = arguments.quick, time.monotonic()
    pairs = 1 if quick else arguments.pairs
    support.check(quick or pairs >= LEAST_PAIRS, f"fewer than {LEAST_PAIRS} pairs say nothing")
    loads, nothing, full = chosen(arguments)
    groups = [nothing + full] + [loads[first:first + 4] for first in range(0, len(loads), 4)]
    if quick:
        groups = [loads + full]
    found = in_guests(groups, arguments.seed, arguments.jobs)
    print(f"Change of the latency with the scan against without, {pairs} pairs of runs, on "
          f"disks of {DISK_BYTES // GIB} GiB, by the clock of guests that count instructions; "
          f"{time.monotonic() - began:.0f} s", flush=True)
    wrong = []
    for light in (True, False):
        for mode, words in MODES.items():
            of_kind = [found[task] for task in loads
                       if task.load.light == light and task.mode == mode]
            if of_kind:
                # What one pair says of the goals is chance.
                wrong += report(f"{'Light' if light else 'Busy'}, {words} (`{mode}`)", of_kind,
                                LEAST_PROGRESS, must_show=not quick)
    wrong += report_nothing(nothing, found) if nothing else []
    wrong += report_full_speed([(task.mode, found[task]) for task in full])
    for line in wrong:
        print(f"\nMISSED: {line}")
    support.check(not wrong, f"{len(wrong)} goals are missed")
    print("\nNo goal is missed.")


def main():
    arguments = parse_arguments()
    missing = results.what_is_missing()
    try:
        if missing is None:
            kernels.fetch(KERNEL, places.KERNELS)
    except kernels.NotToBeHad as error:
        missing = str(error)
    if missing is not None:
        return results.report_skipped("scrub_virtual", missing)
    bench(arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
