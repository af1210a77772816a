#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What reads take across the disk is known part by part: a scan finds an area slow where the lab made
it slow, and nowhere else; the page shows it, and a stop and a start do not lose it."""

import re

import product
import support
from support import check, equal

SIZE = 131072
PART = SIZE // 16
# Two parts, and none of it so slow that a place is suspected.
SLOW_PARTS = (5, 6)
SLOW = (5 * PART, 2 * PART)
# How much longer they take at least. The wait of the lab is a hundred times a read.
TIMES = 3


def _parts(dm):
    """The latencies in the reply that carries the history."""
    parts = dm.request("history")["latency"]
    equal([(part["sector"], part["count"]) for part in parts],
          [(i * PART, PART) for i in range(16)], "the parts of the disk")
    return parts


def _is_slow_where_the_lab_is(parts, what):
    typical = [part["typical_us"] for part in parts]
    check(None not in typical, f"{what}: all parts are read: {typical}")
    slow = [typical[i] for i in SLOW_PARTS]
    others = [us for i, us in enumerate(typical) if i not in SLOW_PARTS]
    check(min(slow) > TIMES * max(others), f"{what}: typical {typical}")
    for part in parts:
        check(part["slowest_us"] >= part["typical_us"], f"{what}: the slowest read of {part}")


def _page(dm, t):
    path = t.path("page.html")
    dm.run("report", dm.name, "--html", path)
    with open(path, encoding="utf-8") as page:
        return page.read()


def _line(page):
    """The heights of the line of what is typical, part by part."""
    data = re.search(r'class="typical" d="([^"]*H[^"]*)"', page)
    check(data, "the page has the line")
    first, rest = re.match(r"M[0-9.]+ ([0-9.]+)(.*)", data[1]).groups()
    return [float(first)] + [float(y) for y in re.findall(r"V([0-9.]+)", rest)]


def _scan(dm, number):
    dm.run("scrub", dm.name, "start", "--now")
    support.wait_until(
        lambda: (dm.status()["scrub"]["passes"], dm.status()["scrub"]["state"]) == (number, "idle"),
        f"pass {number} over", seconds=120)


def latency_across_disk(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    equal({part["typical_us"] for part in _parts(dm)}, {None}, "before a scan")
    check("Not measured yet: the scan has not read enough of any of the 16 parts" in _page(dm, t),
          "the page says that it is not known yet")

    disk.fault("slow:80", f"{SLOW[0]}+{SLOW[1]}")
    _scan(dm, 1)
    parts = _parts(dm)
    _is_slow_where_the_lab_is(parts, "after a scan")
    line = _line(_page(dm, t))
    equal(len(line), 16, "steps of the line")
    equal(sorted(sorted(range(16), key=lambda i: line[i])[:2]), list(SLOW_PARTS),
          f"the highest parts of the line {line}")
    equal(dm.status()["suspect_sectors"], 0, "none of it is suspect")

    dm.stop()
    equal(_line(_page(dm, t)), line, "the page of a stopped set")
    dm.start("fuse")
    equal(_parts(dm), parts, "after a stop and a start")
    dm.stop()
    dm.start("fuse", "--read-only")
    equal(_parts(dm), parts, "of a read-only set")
    dm.stop()

    # Another pass over a disk that got well forgets it.
    dm.start("fuse")
    disk.clear()
    _scan(dm, 2)
    typical = [part["typical_us"] for part in _parts(dm)]
    check(TIMES * max(typical[i] for i in SLOW_PARTS) <
          min(parts[i]["typical_us"] for i in SLOW_PARTS),
          f"it is not slow any more: {typical}, before {parts}")


support.run_test(latency_across_disk, root=True, fuse=True)
