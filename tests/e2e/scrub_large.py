#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk of 20 TB, of which nothing is written: a scan reads a little of each region first, says where it
is, goes on there after a restart, and needs no more memory than on a small one."""

import os
import tempfile

import product
import support
from support import MIB, SECTOR, check, equal

SIZE = 20_000_000_000_000 // SECTOR // 8 * 8
REGION = 128 * MIB // SECTOR
# In the first megabyte of a region 16 GiB in, which a scan from end to end would reach much later.
DEAD = (128 * REGION + 1000, 3)
READ_MIB = 400
MEMORY_MIB = 24  # that a scan may take


def _memory_mib(dm):
    with open(f"/proc/{dm.status()['pid']}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def _scrub(dm):
    return dm.status()["scrub"]


def scrub_large(t):
    # Not every file system has files of that size.
    image = tempfile.NamedTemporaryFile(dir="/dev/shm", prefix="dmremap-scrub-large-")
    t.cleanup.push(image.close)
    os.truncate(image.name, SIZE * SECTOR)
    disk = t.lab(image=image.name)
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "256MiB")
    dm.start("fuse")
    disk.fault("read", f"{DEAD[0]}+{DEAD[1]}")
    before = _memory_mib(dm)

    dm.run("scrub", dm.name, "start", "--now")
    support.wait_until(lambda: _scrub(dm)["scanned_sectors"] >= READ_MIB * MIB // SECTOR, "some read")
    dm.run("scrub", dm.name, "pause")
    scrub = _scrub(dm)
    check(SIZE > scrub["position_sectors"] > (READ_MIB - 40) * REGION,
          f"one megabyte of each region first: {scrub}")
    equal((scrub["found"]["lost"], scrub["passes"], scrub["last_complete"]), (DEAD[1], 0, None),
          "found, and far from done")
    share = 100 * scrub["scanned_sectors"] // SIZE
    text = dm.run("scrub", dm.name, "status", expect=4).out
    check(f"of 18.2 TiB ({share} %)" in text, f"{share} % in: {text}")
    grown = _memory_mib(dm) - before
    check(grown < MEMORY_MIB, f"it takes {grown:.0f} MiB more")
    check(os.stat(image.name).st_blocks < 100, "nothing is written to main")

    dm.kill()
    dm.start("fuse")
    after = _scrub(dm)
    equal((after["state"], after["passes"]), ("paused", 0), "after a kill")
    check(after["scanned_sectors"] >= scrub["scanned_sectors"] - 2 * MIB // SECTOR,
          f"{scrub}, then {after}")
    dm.run("scrub", dm.name, "start", "--now", "--rate", "1MiB")
    support.wait_until(lambda: _scrub(dm)["position_sectors"] != 0, "it goes on")
    check(_scrub(dm)["position_sectors"] >= scrub["position_sectors"] - 40 * REGION, "where it was")


support.run_test(scrub_large, root=True, fuse=True)
