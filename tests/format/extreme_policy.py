#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A spare from somebody else whose policy is extreme, under right checksums of all levels: a deadline
of 49 days, 2^32-1 places to probe. `start` refuses it at once, for no body checks, instead of reading
main for minutes; `examine` and tools/read-metadata say so too."""

import struct
import time

import golden
import seals
import support
from support import check, equal

# Offsets in the stream of a body of the golden set: docs/on-disk-format.md, "Configuration".
_FIELDS = {"deadline": 5616, "recheck": 5620, "retries": 5624, "probes": 5628}


def extreme_policy(t):
    with open(golden.images()["1/healthy"].unpack(t), "rb") as file:
        healthy = bytearray(file.read())
    main = t.image("main.img", "16MiB")
    t.cleanup.push(support.dmremap, "stop", "golden", expect=None)
    for field, at in _FIELDS.items():
        image = bytearray(healthy)
        for copy in seals.copy_offsets(len(image)):
            for seal in (copy, copy + seals.SLOT_BYTES):
                if image[seal:seal + 8] == b"dm-remap":
                    struct.pack_into("<I", image, seals.body_place(seal, at), 0xFFFFFFFF)
                    seals.reseal_body(image, seal)
        spare = t.path("spare.img")
        with open(spare, "wb") as file:
            file.write(image)
        begun = time.monotonic()
        refused = support.dmremap("start", spare, main, "--export", "fuse", expect=(1, 3))
        check(time.monotonic() - begun < 20, f"{field}: refused late")
        refused.one_line_error()
        ours = support.dmremap("examine", spare, "--json", expect=(1, 4)).json()
        theirs = support.run(seals.READER, spare, expect=(1, 4)).json()
        equal(ours["winner"], None, f"{field}: the winner")
        slots = [slot["verdict"] for copy in ours["devices"][0]["copies"] for slot in copy["slots"]]
        check(set(slots) <= {"torn", "empty"}, f"{field}: verdicts {slots}")
        equal(theirs["devices"][0]["copies"], ours["devices"][0]["copies"], f"{field}: the reader")


support.run_test(extreme_policy)
