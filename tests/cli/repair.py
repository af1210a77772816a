#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`check` says what is wrong, `repair` mends it in its own place, and both leave alone what they
must (promise 7)."""

import product
import seals
import support
from support import check, equal
from untouched import refused, untouched


def repair(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse", by_devices=True)
    dm.run("remap", dm.name, "2048+64")
    dm.stop()
    spare, places = dm.spare, seals.places(dm.spare)
    with open(spare, "rb") as file:
        whole = file.read()

    # A sound set: nothing to say, nothing to do.
    with untouched(t, main, spare):
        sound = support.dmremap("check", spare, main, "--json").json()
        equal((sound["sound"], sound["problems"], sound["copies"]["good"]), (True, [], 8), "check")
        equal(support.dmremap("repair", spare, "--json").json()["slots"], [], "nothing to mend")

    # Two slots of one copy and one of another.
    damaged = [places[6], places[7], places[11]]
    seals.overwrite(spare, b"\x5a" * 4096, damaged)
    with untouched(t, main, spare):
        found = support.dmremap("check", spare, main, "--json", expect=4).json()
        equal((found["sound"], len(found["problems"])), (False, 3), "check of three damaged slots")
        text = support.dmremap("check", spare, expect=4).out
        check("copy 3 slot A (sector 4096): corrupt" in text, f"names the slot: {text}")
        dry = support.dmremap("repair", spare, "--dry-run", "--json").json()
        equal([(s["copy"], s["slot"], s["verdict"], s["mended"]) for s in dry["slots"]],
              [(3, "A", "corrupt", False), (3, "B", "corrupt", False), (5, "B", "corrupt", False)],
              "what would be mended")
    mended = support.dmremap("repair", main, spare, "--json").json()
    check(all(slot["mended"] for slot in mended["slots"]), f"all mended: {mended}")
    with open(spare, "rb") as file:
        check(file.read() == whole, "byte for byte as it was")

    # A running set is not touched; a doubtful one neither; nor is what is no spare.
    seals.overwrite(spare, b"\x5a" * 4096, [places[9]])
    dm.start("fuse", by_devices=True)
    equal([event["text"] for event in dm.events("repair")], ["metadata slots mended: 1"],
          "a start mends, and says so")
    seals.overwrite(spare, b"\x5a" * 4096, [places[0]])
    support.dmremap("repair", spare, expect=3).one_line_error()
    dm.stop()
    seals.overwrite(spare, b"\x5a" * 4096, places[10:])
    refused(t, "metadata-doubtful", "repair", spare, paths=(main, spare))
    refused(t, "metadata-doubtful", "repair", spare, "--dry-run", paths=(main, spare))
    equal(support.dmremap("check", spare, "--json", expect=4).json()["winner"]["writable"], False,
          "check of a doubtful set")
    refused(t, "no-metadata", "repair", main, exit=1, paths=(main, spare))
    refused(t, "no-metadata", "check", main, exit=1, paths=(main, spare))

    # Not one whole slot: no winner.
    seals.overwrite(spare, b"\x5a" * 4096, [place + 4096 for place in places[:10]])
    equal(support.dmremap("check", spare, "--json", expect=1).json()["winner"], None, "no winner")


support.run_test(repair, fuse=True)
