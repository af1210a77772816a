#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promises 1 and 8: the right disk, written to on another machine while it was away, is not taken
back, and status says which device was seen and why; as it was left it is."""

import product
import support
from support import check, equal, equal_bytes, pattern

SUPERBLOCK = 128 * 512  # of btrfs: nobody writes it in this test


def _write_elsewhere(image, data):
    with open(image, "r+b") as file:
        file.seek(SUPERBLOCK)
        before = file.read(len(data))
        file.seek(SUPERBLOCK)
        file.write(data)
    return before


def changed_while_away(t):
    disk = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    support.write_sectors(device, 9600, pattern(9600, 8, "new"))
    support.flush(device)

    disk.unplug()
    try:
        support.read_sectors(device, 100, 8)
    except OSError:
        pass
    equal(dm.status()["state"], "tripped", "state")
    before = _write_elsewhere(disk.image, b"another machine".ljust(512, b"."))
    disk.replug()
    support.wait_until(lambda: "other data" in dm.status()["reason"], "it says why it is not taken")
    status = dm.status()
    equal(status["state"], "tripped", "state")
    check(disk.path in status["reason"], f"it names the device: {status['reason']}")
    equal(len(dm.events("trip")), 2, "an event for the trip, and one for what is not taken")

    _write_elsewhere(disk.image, before)
    support.wait_until(lambda: dm.status()["state"] == "healthy", "taken as it was left", seconds=45)
    equal_bytes(support.read_sectors(device, 9600, 8), pattern(9600, 8, "new"), "what was flushed")
    dm.run("status", dm.name)


support.run_test(changed_while_away, root=True, fuse=True)
