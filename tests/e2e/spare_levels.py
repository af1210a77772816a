#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A spare fills up: told at 50, 80 and 95 %, and when it is full. Then a write that needs another
spare sector fails, and everything else goes on, after a restart too."""

import errno

import product
import support
from support import MIB, SECTOR, check, equal, equal_bytes, expect_errno, pattern

DISK_SECTORS = 64 * MIB // SECTOR
# More bad sectors than the smallest spare has room for, and good ones behind them.
BAD_SECTORS = 20 * MIB // SECTOR
STEP = 1024  # sectors of one write
GOOD = 50 * MIB // SECTOR
LEVELS = (50, 80, 95)


def used_percent(dm):
    spare = dm.status()["spares"][0]
    return 100 - spare["free_sectors"] * 100 / spare["capacity_sectors"]


def write_until_full(dm, device):
    """Sectors that were taken, from the first; each level must be told when it is reached."""
    reported = 0
    for sector in range(0, BAD_SECTORS, STEP):
        try:
            support.write_sectors(device, sector, pattern(sector, STEP, "kept"))
        except OSError as error:
            equal(error.errno, errno.EIO, "the write that finds no spare sector")
            return sector
        due = sum(used_percent(dm) >= level for level in LEVELS)
        if due != reported:
            reported = due
            equal(len(dm.events("spare-low")), due, f"spare-low events at {used_percent(dm):.0f} %")
            low = "spare-low" in dm.status()["conditions"]
            equal(low, due >= 2, "the condition spare-low, from 80 %")
    check(False, "the spare never filled")


def write_single_until_full(device, sector):
    """What the write of many left may still be taken one by one."""
    while True:
        try:
            support.write_sectors(device, sector, pattern(sector, 1, "kept"))
        except OSError as error:
            equal(error.errno, errno.EIO, "the write of one sector")
            return sector
        sector += 1


def expect_the_rest_goes_on(dm, device, full_at, seed):
    for attempt in range(3):
        with expect_errno(errno.EIO):
            support.write_sectors(device, full_at + attempt, pattern(full_at, 1, "refused"))
    check("spare-full" in dm.status()["conditions"], "status says that the spare is full")
    for sector in (0, STEP + 7, full_at - 1):
        support.write_sectors(device, sector, pattern(sector, 1, seed))
        equal_bytes(support.read_sectors(device, sector), pattern(sector, 1, seed),
                    f"remapped sector {sector}")
    support.write_sectors(device, GOOD, pattern(GOOD, STEP, seed))
    equal_bytes(support.read_sectors(device, GOOD, STEP), pattern(GOOD, STEP, seed), "good sectors")
    # Only the write failed: what was there can still be read.
    equal_bytes(support.read_sectors(device, full_at, 8), pattern(full_at, 8, "old"),
                "sectors that were refused")
    support.flush(device)
    check(dm.status()["state"] not in ("read-only", "tripped"), "the set still takes writes")


def spare_levels(t):
    disk = t.lab(size=DISK_SECTORS * SECTOR, fill="old")
    disk.fault("write", f"0+{BAD_SECTORS}")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("fuse")

    stopped_at = write_until_full(dm, device)
    full_at = write_single_until_full(device, stopped_at)
    equal([e["kind"] for e in dm.events() if e["kind"].startswith("spare-")],
          ["spare-low"] * len(LEVELS) + ["spare-full"], "events of the spare")
    capacity = dm.status()["spares"][0]["capacity_sectors"]
    remapped = dm.status()["remapped_sectors"]
    print(f"{remapped} sectors remapped, room for {capacity}", flush=True)
    equal(remapped, capacity, "every sector of the spare is used before a write fails")
    expect_the_rest_goes_on(dm, device, full_at, "first")

    dm.stop()
    device = dm.start("fuse", by_devices=True)
    equal(dm.status()["remapped_sectors"], remapped, "remapped after a restart")
    check("spare-full" in dm.status()["conditions"], "status says so at once after a restart")
    equal_bytes(support.read_sectors(device, 1, STEP), pattern(1, STEP, "kept"),
                "what was remapped, after a restart")
    expect_the_rest_goes_on(dm, device, full_at, "second")


support.run_test(spare_levels, root=True, fuse=True)
