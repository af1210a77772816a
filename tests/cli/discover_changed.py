#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A main that was changed elsewhere, where only evidence of its blocks shows it: discover says what
a start says, check finds it, assemble does not try; none of them writes anything."""

import os
import time

import product
import support
from support import check, equal
from untouched import digest, refused, untouched

# Far behind the area of superblocks, of which a stop records a print; 2 MiB apart.
SECTORS = range(4096, 40960, 4096)


def _discover(t, dm):
    with untouched(t, dm.main, dm.spare):
        found = support.dmremap("discover", dm.main, dm.spare, "--json").json()["sets"]
    equal([s["name"] for s in found], [dm.name], "sets found")
    return found[0]


def _problems(t, dm, exit):
    """What check says of main."""
    with untouched(t, dm.main, dm.spare):
        done = support.dmremap("check", dm.main, dm.spare, "--json", expect=exit).json()
    return [p for p in done["problems"] if p["where"] == dm.main]


def _notes(dm):
    return [note for note in dm.run("table", dm.spare, dm.main, "--json").json()["notes"]
            if "may not fit" in note]


def _whole(t, dm):
    found = _discover(t, dm)
    equal((found["state"], found["problem"]), ("whole", None), "nobody wrote to main")
    equal((_problems(t, dm, 0), _notes(dm)), ([], []), "nobody wrote to main")


def _write_to(main):
    with open(main, "r+b") as file:
        for sector in SECTORS:
            file.seek(sector * support.SECTOR)
            file.write(b"changed on another machine")


def _refused_by_all(t, dm, words):
    found = _discover(t, dm)
    error = found["problem"]
    equal((found["state"], found["main"]), ("main-changed", dm.main), "what a start would find")
    check(words in error["what"], f"says why: {error}")
    equal(refused(t, "main-changed", "assemble", dm.name, paths=(dm.main, dm.spare)), error,
          "assemble says the same")
    equal([(p["what"], p["hint"]) for p in _problems(t, dm, 4)], [(error["what"], error["hint"])],
          "check says the same")
    check(any(error["what"] in note for note in _notes(dm)), f"table says it: {_notes(dm)}")
    # It clears away what a dead run left beside the devices.
    before = digest(dm.main), digest(dm.spare)
    started = dm.run("start", dm.spare, dm.main, "--export", "fuse", "--json", expect=3)
    equal(started.error_json(), error, "start says the same")
    equal((digest(dm.main), digest(dm.spare)), before, "devices after a refused start")


def discover_changed(t):
    # A killed run leaves its evidence only in a runtime directory that lies in memory, as /run.
    t.runtime_dir = os.path.join(t.mount("none", "runtime", "-t", "tmpfs"), "run")
    os.environ["DMREMAP_RUNTIME_DIR"] = t.runtime_dir
    dm = product.Product(t, t.image("main.img", "64MiB", fill=1), t.path("spare.img"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    for sector in SECTORS:
        support.write_sectors(device, sector, support.pattern(sector, 8, "flushed"))
    support.flush(device)
    time.sleep(3)  # evidence is taken at most once a second

    # What a run does to main while it lasts is no change by others.
    equal(_discover(t, dm)["state"], "running", "a set that runs")
    equal((_problems(t, dm, 0), _notes(dm)), ([], []), "a set that runs")
    dm.kill()
    _whole(t, dm)
    _write_to(dm.main)
    _refused_by_all(t, dm, "than when the set was killed")

    # After a clean stop it matters where a part of main lives elsewhere.
    device = dm.start("fuse", "--accept-main-changed")
    dm.run("remap", dm.name, "80000+8")
    for sector in SECTORS:
        support.write_sectors(device, sector, support.pattern(sector, 8, "again"))
    support.flush(device)
    time.sleep(3)
    dm.stop()
    _whole(t, dm)
    _write_to(dm.main)
    _refused_by_all(t, dm, "than when the set was stopped")


support.run_test(discover_changed, root=True, fuse=True)
