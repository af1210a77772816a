#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Only media errors remap: a disk that vanishes trips the breaker, remaps nothing and says why;
plugged in again, it is used again."""

import errno

import product
import support
from support import check, equal, equal_bytes, expect_errno, pattern


def unplug(t):
    disk = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    equal_bytes(support.read_sectors(device, 100), pattern(100, 1, "old"))

    support.write_sectors(device, 96, pattern(96, 1, "right before"))
    support.flush(device)

    disk.unplug()
    for sector in range(0, 4000, 400):
        with expect_errno(errno.EIO):
            support.write_sectors(device, sector, pattern(sector, 1, "refused"))
        with expect_errno(errno.EIO):
            support.read_sectors(device, sector)
    status = dm.status()
    equal(status["state"], "tripped", "state")
    equal(status["remapped_sectors"] + status["lost_sectors"], 0, "remapped or lost")
    check("tripped" in dm.run("status", dm.name, expect=4).out, "status names it, for people")
    trips = dm.events("trip")
    equal(len(trips), 1, "trip events")
    check(trips[0]["text"], "the event says why")

    disk.replug()
    support.wait_until(lambda: dm.status()["state"] == "healthy", "re-armed", seconds=45)
    check(dm.events("rearm"), "the events tell of it")
    for sector in range(0, 4000, 400):
        equal_bytes(support.read_sectors(device, sector), pattern(sector, 1, "old"),
                    f"sector {sector} after the disk is back")
    support.write_sectors(device, 100, pattern(100, 1, "new"))
    equal_bytes(support.read_sectors(device, 100), pattern(100, 1, "new"))
    equal_bytes(support.read_sectors(device, 96), pattern(96, 1, "right before"),
                "what was written right before")
    status = dm.status()
    equal(status["remapped_sectors"] + status["lost_sectors"], 0, "remapped or lost after all")
    dm.run("status", dm.name)


support.run_test(unplug, root=True, fuse=True)
