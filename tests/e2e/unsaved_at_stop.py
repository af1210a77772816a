#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 4, 13: data that a user wrote through the page cache of the block device, and that could
not be written when the cache was emptied, is not lost in silence at `stop`: it fails, is no clean
stop, and the events of the next run say why."""

import errno
import os

import product
import support
from support import MIB, SECTOR, check, equal, pattern

BAD = 20 * MIB // SECTOR  # more bad sectors than the spare has room for
STEP = 1024


def fill_spare(device):
    """Until nothing can take a write to a bad sector any more."""
    size = STEP
    sector = 0
    while size > 0:
        try:
            support.write_sectors(device, sector, pattern(sector, size))
            sector += size
        except OSError as error:
            equal(error.errno, errno.EIO, "the write that finds no spare sector")
            size //= 2
    return sector


def unsaved_at_stop(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, t.loop(disk.path), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("block")
    disk.fault("write", f"0+{BAD}")
    full_at = fill_spare(device)
    check(full_at < BAD - 64, "the spare never filled")
    # Nobody asks whether it arrived.
    at = (full_at + 63) // 8 * 8
    with open(device, "r+b", buffering=0) as file:
        os.lseek(file.fileno(), at * SECTOR, os.SEEK_SET)
        file.write(pattern(at, 8))
    stopped = dm.stop(expect=1)
    check("could not be saved" in stopped.one_line_error(), f"why: {stopped}")
    support.wait_until(lambda: not dm.is_running(), "the end of the set")
    check(not os.path.lexists(f"/dev/dm-remap/{dm.name}"), "the link is left")

    disk.clear()
    dm.start("block")
    stops = dm.events("stop")
    equal([(e["severity"], e["text"]) for e in stops],
          [("warning", "cached writes were lost at stop")], "the stop")
    check(any("uncleanly" in e["text"] for e in dm.events("start")), "the stop counts as clean")
    dm.stop()


support.run_test(unsaved_at_stop, root=True, fuse=True, loop=True)
