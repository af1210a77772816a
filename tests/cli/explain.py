#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""explain says of a sector what the set then does with it: every state, and the conditions of the
set."""

import errno
import time

import product
import support
import untouched
from support import check, equal, equal_bytes, pattern

SIZE = 32768  # sectors


def _explain(dm, sector):
    return dm.run("explain", dm.name, sector, "--json").json()


def _expect(dm, sector, state, device, extent, cause):
    one = _explain(dm, sector)
    equal((one["sector"], one["state"], one["where"]["device"]), (sector, state, device), "state")
    equal((one["extent"]["sector"], one["extent"]["count"]), extent, f"extent of {sector}")
    evidence = one["evidence"]
    equal(evidence and evidence["errno"], cause, f"errno of {sector}")
    return one


def _states(dm, disk, spare_disk, device):
    before = time.time()
    sequence = int(dm.status()["sequence"])
    disk.fault("write", "1000+8")
    support.write_sectors(device, 996, pattern(996, 16, "new"))
    remapped = _expect(dm, 1003, "remapped", "spare", (1000, 8), "EIO")
    equal(remapped["evidence"]["sequence"], sequence + 1, "the commit that bound it")
    when = time.mktime(time.strptime(remapped["evidence"]["time"], "%Y-%m-%dT%H:%M:%SZ"))
    check(abs(when - time.timezone - before) < 60, f"the time: {remapped}")
    equal(remapped["where"]["path"], dm.spare, "the spare is named")
    # The data is where it says.
    equal_bytes(support.read_sectors(dm.spare, remapped["where"]["sector"]),
                pattern(1003, 1, "new"), "on the spare")

    disk.fault("read:EILSEQ", "2000+2")
    for sector in (2000, 2001):
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector)
    lost = _explain(dm, 2001)
    equal((lost["state"], lost["where"]["device"], lost["evidence"]["errno"]),
          ("lost", "nowhere", "EILSEQ"), "lost")
    check("asked again" in lost["read"]["text"], lost)

    dm.run("remap", dm.name, "3000+4")
    by_hand = _expect(dm, 3001, "remapped", "spare", (3000, 4), None)
    equal(by_hand["evidence"]["errno_number"], 0, "by hand")
    equal(by_hand["failing"], None, "it reads")
    spare_disk.fault("read", by_hand["where"]["sector"])
    with support.expect_errno(errno.EIO):
        support.read_sectors(device, 3001)
    failing = _expect(dm, 3001, "remapped", "spare", (3000, 4), None)
    equal((failing["failing"], failing["read"]["from"]), ("EIO", "error"), "failing")
    check("asked again" in failing["read"]["text"], failing)
    check("another spare sector" in failing["write"]["text"], failing)
    check("remapped, failing" in dm.run("explain", dm.name, 3001).out, "for people")

    dm.make_gone(disk, 4000)
    gone = _expect(dm, 4000, "gone", "nowhere", (4000, 1), "EIO")
    check("never asked" in gone["read"]["text"], gone)

    good = _expect(dm, 500, "good", "main", (0, 1000), None)
    equal(good["where"], {"device": "main", "path": dm.main, "sector": 500}, "where")
    _expect(dm, SIZE - 1, "good", "main", (4001, SIZE - 4001), None)


def _does_what_it_says(dm, device):
    """What is said of reads and writes, done."""
    for sector in (500, 1003, 2000, 3001, 4000):
        said = _explain(dm, sector)
        try:
            support.read_sectors(device, sector)
            check(said["read"]["from"] in ("main", "spare"), said)
        except OSError:
            equal(said["read"]["from"], "error", f"a read of {sector}")
        try:
            support.write_sectors(device, sector, pattern(sector, 1, "again"))
            check(said["write"]["to"] in ("main", "spare"), said)
            equal(_explain(dm, sector)["where"]["device"], said["write"]["to"],
                  f"{sector} lies where the write was said to go")
        except OSError:
            equal(said["write"]["to"], "error", f"a write of {sector}")


def _conditions(dm, disk):
    """Read-only, stopped, tripped."""
    disk.fault("read", "6000")
    with support.expect_errno(errno.EIO):
        support.read_sectors(dm.device, 6000)
    dm.stop()
    stopped = _explain(dm, 6000)
    equal((stopped["state"], stopped["running"]), ("lost", False), "of a stopped set")
    check("once it is started" in dm.run("explain", dm.name, 6000).out, "says so")
    device = dm.start("fuse", "--read-only")
    lost = _explain(dm, 6000)
    check("not asked again" in lost["read"]["text"], lost)
    _does_what_it_says(dm, device)
    equal(_explain(dm, 500)["write"]["to"], "error", "read-only")
    dm.stop()
    device = dm.start("fuse")
    disk.unplug()
    with support.expect_errno(errno.EIO):
        support.read_sectors(device, 400)
    equal(_explain(dm, 400)["conditions"][0], "tripped", "main is gone")
    _does_what_it_says(dm, device)
    equal(_explain(dm, 500)["read"]["from"], "error", "main is not asked")
    equal(_explain(dm, 1003)["read"]["from"], "spare", "the spare is there")
    disk.replug()


def explain(t):
    disk = t.lab(size="16MiB", fill="old")
    spare_disk = t.lab(size="32MiB")
    dm = product.Product(t, disk.path, spare_disk.path)
    dm.create()
    device = dm.start("fuse")
    _states(dm, disk, spare_disk, device)
    _does_what_it_says(dm, device)
    text = dm.run("explain", dm.name, 1003).out
    for word in ("remapped", "spare", "EIO", "commit", "a read", "a write"):
        check(word in text, f"{word} in {text}")
    error = untouched.refused(t, "usage", "explain", dm.name, str(SIZE), exit=2)
    check(str(SIZE) in error["what"], error)
    for wrong in ("-1", "1+1", "x", str(2**64)):
        dm.run("explain", dm.name, "--", wrong, expect=2)
    untouched.refused(t, "not-running", "explain", "no-such-set", "0", exit=1)
    _conditions(dm, disk)


support.run_test(explain, root=True, fuse=True)
