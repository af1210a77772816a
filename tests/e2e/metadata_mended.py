#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Metadata that is damaged under a running set is found by the next pass of its scan and mended,
counted and told, without a stop; and what is measured of the scan is said."""

import os

import product
import support
from support import check, equal

SLOT = 256 * 1024
BLOCK = 4096


def metadata_mended(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    # Slots of the last commit: the commit with which a scan is started writes the others.
    slot = dm.status()["sequence"] % 2 * SLOT
    with open(t.path("spare"), "r+b", buffering=0) as spare:
        # The seal of one slot, and the last bytes of the second block of another's body.
        second_copy = 1024 * 512
        for offset, bad in ((slot, b"\0" * BLOCK),
                            (second_copy + slot + 3 * BLOCK - 512, b"\x55" * 512)):
            spare.seek(offset)
            spare.write(bad)
        os.fsync(spare.fileno())
        dm.run("scrub", dm.name, "start", "--now")

        def over():
            scrub = dm.status()["scrub"]
            return scrub["passes"] == 1 and scrub["state"] == "idle"
        support.wait_until(over, "a pass over", seconds=90)
        scrub = dm.status()["scrub"]
        equal(scrub["found"]["mended_slots"], 2, "mended slots")
        spare.seek(slot)
        check(spare.read(8) != b"\0" * 8, "the seal is there again")
    equal([event["text"] for event in dm.events("repair")], ["metadata slots mended: 2"], "events")
    equal((scrub["felt"], scrub["felt_pairs"]), (None, 0), "at full speed nothing is measured")
    check("felt: too few pairs of windows (0 of 30)" in dm.run("scrub", dm.name, "status").out,
          "the text says so")
    dm.stop()
    support.dmremap("check", t.path("spare"))


support.run_test(metadata_mended, root=True, fuse=True)
