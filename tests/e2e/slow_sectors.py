#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sectors that read, but far slower than their neighbours, are listed as suspect and still served
by main; nothing else is."""

import product
import support
from support import equal, equal_bytes

SLOW = (40960, 8)


def slow_sectors(t):
    disk = t.lab(size="64MiB")
    before = support.read_sectors(disk.path, SLOW[0] - 32, 96)
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    disk.fault("slow:1500", f"{SLOW[0]}+{SLOW[1]}")
    equal_bytes(support.read_sectors(device, SLOW[0] - 32, 96), before, "read with the slow block")
    equal(dm.status()["suspect_sectors"], 0, "suspect before anybody measured")
    support.wait_until(lambda: dm.status()["suspect_sectors"] > 0, "listed", seconds=40)
    listed = t.path("listed")
    dm.run("bad", "export", dm.name, listed)
    status = dm.status()
    equal(status["suspect_sectors"], SLOW[1], "suspect sectors")
    equal((status["remapped_sectors"], status["lost_sectors"]), (0, 0), "nothing moved")
    equal(status["state"], "healthy", "the set")
    with open(listed) as file:
        suspects = [line.split()[:2] for line in file if line.rstrip().endswith(" *")]
    equal([(int(first, 0) // 512, int(size, 0) // 512) for first, size in suspects], [SLOW],
          "what a list for ddrescue calls non-trimmed")
    equal_bytes(support.read_sectors(device, *SLOW), before[32 * 512:40 * 512], "main serves it")

    # Remembered.
    dm.stop()
    dm.start("block")
    equal(dm.status()["suspect_sectors"], SLOW[1], "after a restart")


support.run_test(slow_sectors, root=True, fuse=True, loop=True)
