#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What is lost says so, before and after a restart, until something writes it: a sector that main
cannot read (lost), and one whose newest version main lost from its cache (gone)."""

import errno

import product
import support
from support import check, equal, equal_bytes, expect_errno, pattern

LOST, GONE = 5000, 9001


def _eio(device, sector):
    with expect_errno(errno.EIO):
        support.read_sectors(device, sector, 1)


def _expect_both_lost(dm, device, fill):
    for _ in range(3):
        _eio(device, LOST)
        _eio(device, GONE)
    for sector in (LOST - 1, LOST + 1, GONE - 1, GONE + 1):
        equal_bytes(support.read_sectors(device, sector), pattern(sector, 1, fill),
                    f"neighbour {sector}")
    equal(dm.status()["lost_sectors"], 2, "lost sectors")


def lost_and_gone(t):
    main = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse", by_devices=True)

    main.fault("read", str(LOST))
    _eio(device, LOST)
    dm.make_gone(main, GONE)
    told = [(e["kind"], e["sector"]) for e in dm.events() if e["sector"] is not None]
    equal(told, [("lost", LOST), ("gone", GONE)], "events")

    # Main reads well again: its bytes are stale for one and unasked for the other.
    main.clear()
    _expect_both_lost(dm, device, "old")
    dm.run("status", dm.name, expect=4)
    dm.stop()
    device = dm.start("fuse", by_devices=True)
    _expect_both_lost(dm, device, "old")
    dm.kill()
    device = dm.start("fuse", by_devices=True)
    _expect_both_lost(dm, device, "old")

    for sector in (LOST, GONE):
        support.write_sectors(device, sector, pattern(sector, 1, "healed"))
        equal_bytes(support.read_sectors(device, sector), pattern(sector, 1, "healed"), "written")
    equal(dm.status()["lost_sectors"], 0, "lost sectors once both were written")
    dm.stop()
    device = dm.start("fuse", by_devices=True)
    for sector in (LOST, GONE):
        equal_bytes(support.read_sectors(device, sector), pattern(sector, 1, "healed"),
                    "after a restart")
    check(dm.status()["lost_sectors"] == 0, "nothing is lost any more")


support.run_test(lost_and_gone, root=True, fuse=True)
