#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A scan finds what is wrong with a disk before a user does: all of it, each thing as what it is, and
nothing else; it can be paused, limited and seen, and goes on after a restart."""

import product
import support
from support import check, equal

SIZE = 131072
DEAD = [(4096, 8), (70000, 3), (131064, 8)]
SLOW = (40960, 8)
# On the spare already: what main has there is no matter.
KNOWN = (90000, 8)


def _scrub(dm, *words, expect=0):
    return dm.run("scrub", dm.name, *words, "--json", expect=expect).json()["scrub"]


def _pass(dm, number):
    """Waits for the end of a pass."""
    def over():
        scrub = dm.status()["scrub"]
        return scrub["passes"] >= number and scrub["state"] == "idle"
    support.wait_until(over, f"pass {number} over", seconds=60)
    return dm.status()["scrub"]


def _finds_what_is_wrong(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    before = dm.status()
    equal((before["scrub"]["state"], before["scrub"]["passes"]), ("idle", 0), "at the start")
    equal(before["scrub"]["last_complete"], None, "never")
    dm.run("remap", dm.name, f"{KNOWN[0]}+{KNOWN[1]}")
    disk.fault("read", f"{KNOWN[0]}+{KNOWN[1]}")
    for first, count in DEAD:
        disk.fault("read", f"{first}+{count}")
    disk.fault("slow:600", f"{SLOW[0]}+{SLOW[1]}")

    _scrub(dm, "start", "--now")
    scrub = _pass(dm, 1)
    status = dm.status()
    dead = sum(count for _, count in DEAD)
    equal(scrub["found"], {"lost": dead, "recovered": 0, "slow": SLOW[1], "mended_slots": 0},
          "found")
    equal((status["lost_sectors"], status["suspect_sectors"], status["remapped_sectors"]),
          (dead, SLOW[1], KNOWN[1]), "the sectors of the set")
    equal(status["io"]["reads"], before["io"]["reads"], "no user has read")
    check(scrub["last_complete"], "when it was complete")
    equal(scrub["scanned_sectors"], SIZE, "all of it")
    lost = [(e["sector"], e["count"]) for e in dm.events("lost")]
    for first, count in DEAD:
        inside = [n for at, n in lost if first <= at < first + count]
        equal(sum(inside), count, f"events of {first}+{count} in {lost}")
    equal(_scrub(dm, "status", expect=4), scrub, "the verb says what status says")
    return dm


def _is_controlled(dm):
    _scrub(dm, "start", "--now", "--rate", "1MiB")
    equal(dm.status()["scrub"]["state"], "running", "running")
    support.wait_until(lambda: dm.status()["scrub"]["scanned_sectors"] >= 4096, "2 MiB read",
                       seconds=30)
    check(dm.status()["scrub"]["scanned_sectors"] < SIZE // 2, "it keeps to its rate")
    equal(_scrub(dm, "pause")["state"], "paused", "paused")
    support.wait_until(lambda: _stands_still(dm), "no read any more")
    here = dm.status()["scrub"]["position_sectors"]
    equal(dm.status()["scrub"]["state"], "paused", "still paused")
    _scrub(dm, "resume")
    support.wait_until(lambda: dm.status()["scrub"]["position_sectors"] != here, "it goes on")
    equal(_scrub(dm, "stop")["state"], "idle", "stopped")
    for wrong in (["--rate", "0"], ["--window", "03:00-03:00"], ["--window", "night"]):
        dm.run("scrub", dm.name, "start", *wrong, expect=2).one_line_error()
    dm.run("scrub", dm.name, "pause", "--now", expect=2).one_line_error()


def _is_remembered(dm):
    """A run that is killed leaves how far the scan was, and whether it was paused."""
    _scrub(dm, "start", "--now", "--rate", "2MiB")
    support.wait_until(lambda: dm.status()["scrub"]["scanned_sectors"] >= 8192, "4 MiB read",
                       seconds=30)
    _scrub(dm, "pause")
    paused = dm.status()["scrub"]
    dm.kill()
    dm.start("fuse")
    now = dm.status()["scrub"]
    equal((now["state"], now["passes"]), ("paused", paused["passes"]), "after a kill")
    check(now["scanned_sectors"] >= paused["scanned_sectors"] - 4096, f"{paused}, then {now}")
    dm.stop()
    dm.start("fuse")
    equal(dm.status()["scrub"]["state"], "paused", "after a stop")
    _scrub(dm, "start", "--now", "--rate", "1GiB")
    first = dm.status()["scrub"]
    check(first["scanned_sectors"] >= now["scanned_sectors"], "it goes on where it was")
    _pass(dm, paused["passes"] + 1)


def _stands_still(dm):
    before = dm.status()["scrub"]["scanned_sectors"]
    support.run("sleep", "1.2")
    return dm.status()["scrub"]["scanned_sectors"] == before


def _is_for_running_writable_sets(dm):
    dm.stop()
    equal(dm.status()["scrub"], None, "of a stopped set")
    equal(dm.run("scrub", dm.name, "pause", "--json", expect=1).error_json()["code"],
          "not-running", "pause of a stopped set")
    dm.start("fuse", "--read-only")
    equal(dm.status()["scrub"], None, "of a read-only set")
    equal(dm.run("scrub", dm.name, "start", "--json", expect=1).error_json()["code"],
          "read-only", "a scan of it")
    dm.stop()


def scrub(t):
    dm = _finds_what_is_wrong(t)
    _is_controlled(dm)
    _is_remembered(dm)
    _is_for_running_writable_sets(dm)


support.run_test(scrub, root=True, fuse=True)
