#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Sectors of a spare that do not read: `examine` and tools/read-metadata call the slots unreadable,
and what is unreadable in a body alone leaves the slot settled."""

import golden
import support
from support import equal


def unreadable_slots(t):
    disk = t.lab(image=golden.images()["1/healthy"].unpack(t))
    disk.fault("read", "0+8")            # the seal of copy 0, slot A
    disk.fault("read", "1552+8")         # the second body block of copy 1, slot B
    disk.fault("read", "30720+1024")     # copy 7
    seen = support.dmremap("examine", "--json", disk.path, expect=4).json()
    equal(golden.read_metadata(disk.path, expect=4).json(), seen, "read-metadata")
    found = {(copy["index"], slot["slot"]): (slot["verdict"], slot["settled"])
             for copy in seen["devices"][0]["copies"] for slot in copy["slots"]
             if slot["verdict"] == "unreadable"}
    equal(found, {(0, "A"): ("unreadable", False), (1, "B"): ("unreadable", True),
                  (7, "A"): ("unreadable", False), (7, "B"): ("unreadable", False)}, "verdicts")
    equal(seen["winner"]["writable"], True, "writable")

    disk.fault("read", "0+32768")
    support.dmremap("examine", "--json", disk.path, expect=1)
    golden.read_metadata(disk.path, expect=1)


support.run_test(unreadable_slots, fuse=True)
