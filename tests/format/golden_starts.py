#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every golden image whose winner may be written is started and written to; what it knew of the
disk is known afterwards, a section of a later time too."""

import os

import golden
import product
import seals
import support
from support import equal

FULL = 10_370


def sectors(survey, *states):
    return survey.content().sectors(*states)


def untouched_place(survey):
    """Eight sectors of which the table says nothing."""
    taken = {sector for entry in survey.content().entries for sector in range(entry.main, entry.main + entry.count)}
    return next(first for first in range(16000, 32768, 8) if taken.isdisjoint(range(first, first + 8)))


def started(t, key, image, main):
    path = image.unpack(t)
    expected = image.expected(path)
    before = seals.reader.Survey(seals.reader.Device(path))
    dm = product.Product(t, main, path, name=expected["set"]["name"])
    # What was recorded of an image before proves nothing: a word is needed once.
    dm.start("fuse", "--accept-main", main, by_devices=True)
    full = len(before.content().entries) == FULL
    place = 16000 if full else untouched_place(before)
    moved = dm.run("remap", dm.name, f"{place}+8", "--json", expect=1 if full else 0)
    if full:
        equal(moved.error_json()["code"], "table-full", f"one entry more in {key}")
    dm.stop()

    after = seals.reader.Survey(seals.reader.Device(path))
    equal(after.owner, before.owner, f"owner of {key}")
    equal(after.decision.writable, True, f"{key} is writable after a stop")
    equal(after.winner.term, before.winner.term + 1, f"term of {key} after one start")
    equal(sectors(after, 2, 3), sectors(before, 2, 3), f"lost sectors of {key}")
    equal(sectors(after, 4), sectors(before, 4) + (0 if full else 8), f"remapped sectors of {key}")
    equal(after.content().unknown, before.content().unknown, f"unknown sections of {key}")
    os.unlink(path)


def check_carried_sections(t, image, main):
    """What a program before carried along is void: main has to be said again, and the events of the
    run in between are all there."""
    path = image.unpack(t)
    support.check(set(seals.reader.OPTIONAL) >= {6, 7, 9}, "the reader knows of them")
    name = image.expected(path)["set"]["name"]
    refused = support.dmremap("start", main, path, "--export", "fuse", "--json", expect=3)
    equal(refused.error_json()["code"], "main-unproven", "main is known by nothing")
    dm = product.Product(t, main, path, name=name)
    dm.start("fuse", "--accept-main", main, by_devices=True)
    moved = [(e["sector"], e["count"]) for e in dm.events("remap")]
    equal(moved, [(4096, 8), (9000, 8)], "events of both programs")
    dm.stop()
    dm.start("fuse", by_devices=True)  # known again
    dm.stop()
    os.unlink(path)


def check_scan_and_history(t, image, main):
    """What the scanner and the history of the disk remembered is known to every later program."""
    path = image.unpack(t)
    dm = product.Product(t, main, path, name=image.expected(path)["set"]["name"])
    # It changes nothing, and makes known where the spare lies.
    dm.start("fuse", "--accept-main", main, "--read-only", by_devices=True)
    dm.stop()
    equal(dm.status()["health"]["verdict"], "good", "before a start")
    dm.start("fuse", "--accept-main", main, by_devices=True)
    status = dm.status()
    scrub = status["scrub"]
    equal((scrub["state"], scrub["passes"]), ("paused", 1), "the scan goes on being paused")
    equal(scrub["last_complete"], "2026-11-29T22:40:28Z", "the end of its pass")
    equal(status["health"]["verdict"], "good", "all of it had been read")
    dm.stop()
    os.unlink(path)


def check_latency_across_disk(t, image, main):
    """What a scan measured of each part of the disk is known to every later program, though one that
    did not know the section ran the set in between. The third part was slow."""
    path = image.unpack(t)
    dm = product.Product(t, main, path, name=image.expected(path)["set"]["name"])
    dm.start("fuse", "--accept-main", main, by_devices=True)
    parts = dm.request("history")["latency"]
    equal([(part["sector"], part["count"]) for part in parts],
          [(8192 * i, 8192) for i in range(4)], "parts of the disk")
    slow = parts.pop(2)
    support.check(slow["typical_us"] > 3 * max(part["typical_us"] for part in parts),
                  f"the slow part {slow} beside {parts}")
    dm.stop()
    os.unlink(path)


def golden_starts(t):
    main = t.image("main.img", golden.MAIN_SIZE)
    writable = {key: image for key, image in golden.images().items() if image.start is None}
    support.check(len(writable) >= 10, "most images are writable")
    for key, image in writable.items():
        started(t, key, image, main)
    check_carried_sections(t, writable["1/carried-sections"], main)
    check_scan_and_history(t, writable["1/scan-and-history"], main)
    check_latency_across_disk(t, writable["1/latency-across-disk"], main)
    kept = [key for key, image in writable.items() if image.name == "optional-section"]
    equal(kept, ["1/optional-section"], "images with a section of a later time")


support.run_test(golden_starts, fuse=True)
