#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Among 200 candidates discover finds the eight sets, with their mains, in under a second of an idle
machine."""

import resource
import time

import support
from support import check, equal

CANDIDATES, SETS = 200, 8
RUNS = 5
SECONDS_MOST = 1.0


def _other(t, number):
    """One in three of the others holds something: it is read as far as the blank ones."""
    path = t.image(f"other{number}.img", "16MiB")
    if number % 3 == 0:
        with open(path, "r+b") as file:
            file.seek(1080)
            file.write(b"\x53\xef")  # where ext4 has its magic
    return path


def discover_many(t):
    paths, names = [], []
    for number in range(SETS):
        main, spare = t.image(f"main{number}.img", "16MiB", fill=number + 1), t.path(f"spare{number}.img")
        support.dmremap("create", f"many{number}", main, spare, "--spare-size", "16MiB")
        paths += [main, spare]
        names.append(f"many{number}")
    paths += [_other(t, number) for number in range(CANDIDATES - len(paths))]
    equal(len(paths), CANDIDATES, "candidates")
    taken = []
    for _ in range(RUNS):
        before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
        found = support.dmremap("discover", *paths, "--json").json()["sets"]
        wall, after = time.monotonic() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
        processor = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        taken.append((wall, processor))
        equal([one["name"] for one in found], names, "sets")
        equal([(one["state"], one["main"]) for one in found],
              [("whole", main) for main in paths[:2 * SETS:2]], "their mains")
    wall, processor = min(one[0] for one in taken), min(one[1] for one in taken)
    print(f"{CANDIDATES} candidates, {SETS} sets: {wall:.2f} s, {processor:.2f} s of processor time")
    # The images are in memory, so an idle machine takes no longer than the processor does.
    check(min(wall, processor) < SECONDS_MOST, f"{wall:.2f} s, {processor:.2f} s of processor time")


support.run_test(discover_many)
