#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A process that is killed again and again while it scans a disk with bad places: the pass goes on from
where it was last remembered, is one pass in the end, and misses nothing."""

import random
import time

import product
import support
from support import MIB, SECTOR, check, equal

SIZE = 256 * MIB // SECTOR
CLUSTERS = [at * MIB // SECTOR for at in (30, 130, 250)]
RATE = "8MiB"


def _scrub(dm):
    return dm.status()["scrub"]


def _lost(dm):
    ranges = dm.run("map", dm.name, "--json").json()["ranges"]
    equal({one["state"] for one in ranges} - {"lost"}, set(), "states but lost")
    return {s for one in ranges for s in range(one["sector"], one["sector"] + one["count"])}


def _bad_places(path, dice):
    """Writes a list of some clusters: around each of them the scan reads 10 MiB on either side at once."""
    dead = set()
    with open(path, "w", encoding="ascii") as file:
        for at in range(60):
            first = CLUSTERS[at % len(CLUSTERS)] + dice.randrange(4 * MIB // SECTOR)
            count = dice.randint(1, 8)
            print(f"read {first}+{count}", file=file)
            dead |= set(range(first, first + count))
    return dead


def _go_on(dm, mib):
    """Goes on with the pass. Each start is remembered; what is read in the minute after it is not."""
    dm.run("scrub", dm.name, "start", "--now", "--rate", RATE)
    begun = _scrub(dm)["scanned_sectors"]
    support.wait_until(lambda: _scrub(dm)["scanned_sectors"] >= begun + mib * MIB // SECTOR,
                       f"{mib} MiB read")
    return begun


def _kill_in_the_middle(dm, dead):
    """Returns where the pass stands after it."""
    _go_on(dm, 6)
    remembered = _go_on(dm, 3)
    known = _lost(dm)
    equal(_scrub(dm)["state"], "running", "in the middle")
    dm.kill()
    dm.start("fuse")
    after = _scrub(dm)
    dm.run("scrub", dm.name, "pause")
    equal((after["state"], after["passes"]), ("running", 0), "it goes on, as a user asked for the pass")
    # The first status of a start may be of a read or two later.
    check(after["scanned_sectors"] >= remembered - 2 * MIB // SECTOR,
          f"remembered at {remembered}, but {after}")
    check(known <= _lost(dm) <= dead, "what was found is known, and nothing else")
    return after["scanned_sectors"]


def _is_asked_for_from_the_answer_on(dm):
    """Killed right after the answer, when nothing of the pass has been read."""
    dm.run("scrub", dm.name, "start", "--window", _window_without_now())
    dm.kill()
    dm.start("fuse")
    support.wait_until(lambda: _scrub(dm)["waits_for"] == "window", "it waits for its hours alone")
    equal(_scrub(dm)["scanned_sectors"], 0, "nothing of it was read")
    dm.run("scrub", dm.name, "stop")
    dm.kill()
    dm.start("fuse")
    equal(_scrub(dm)["state"], "idle", "what was given up is not asked for any more")
    dm.run("scrub", dm.name, "start", "--window", "00:00-24:00", "--rate", RATE)
    dm.run("scrub", dm.name, "pause")


def _window_without_now():
    hour = time.localtime().tm_hour
    return f"{(hour + 6) % 24:02}:00-{(hour + 8) % 24:02}:00"


def scrub_killed(t):
    dead = _bad_places(t.path("faults"), random.Random(7))
    disk = t.lab(size=SIZE * SECTOR, faults=t.path("faults"))
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    _is_asked_for_from_the_answer_on(dm)
    stood = [_kill_in_the_middle(dm, dead) for _ in range(3)]
    equal(stood, sorted(stood), "it never falls back")
    check(stood[-1] >= 15 * MIB // SECTOR, f"it got on: {stood}")

    dm.run("scrub", dm.name, "start", "--now", "--rate", "1GiB")
    support.wait_until(lambda: _scrub(dm)["passes"] == 1, "the end of the pass")
    equal(_lost(dm), dead, "all that is dead is known")
    dm.kill()
    dm.start("fuse")
    now = _scrub(dm)
    equal((now["state"], now["passes"], _lost(dm)), ("idle", 1, dead),
          "the end of a pass is remembered, and that it is not asked for any more")


support.run_test(scrub_killed, root=True, fuse=True)
