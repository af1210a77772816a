#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`resolve` ends a fork by the side that the user names, and a doubt by what is left; it says what
may be lost, and refuses where nothing is in doubt (promise 7)."""

import golden
import product
import seals
import support
from support import check, equal
from untouched import refused, untouched


def kept_side(t, commit, main):
    spare = golden.images()["1/fork"].unpack(t)
    with untouched(t, spare):
        dry = support.dmremap("resolve", spare, "--keep", commit, "--dry-run", "--json").json()
        equal(dry["commit"], None, "a dry run writes nothing")
        check(dry["may_be_lost"], "says what may be lost")
    done = support.dmremap("resolve", spare, "--keep", commit[:12], "--json").json()
    equal(done["kept"]["commit"], commit, "the side that was named")
    after = support.dmremap("examine", spare, "--json", expect=(0, 4)).json()
    equal((after["winner"]["commit"], after["winner"]["writable"]), (done["commit"]["commit"], True),
          "winner after the fork")
    dm = product.Product(t, main, spare, name=after["set"]["name"])
    dm.start("fuse", "--accept-main", main, by_devices=True)  # an image of a set before facts
    check(any("resolved" in event["text"] for event in dm.events("repair")), "an event tells of it")
    dm.stop()


def resolve(t):
    main = t.image("main.img", golden.MAIN_SIZE)
    spare = golden.images()["1/fork"].unpack(t)
    forked = support.dmremap("examine", spare, "--json", expect=4).json()
    slots = [slot for copy in forked["devices"][0]["copies"] for slot in copy["slots"]]
    sides = sorted({slot["commit"] for slot in slots if slot["sequence"] == "7"})
    equal(len(sides), 2, "sides of the fork")
    for commit in sides:
        kept_side(t, commit, main)

    # All far copies dead: a doubt that cannot be settled.
    main = t.image("own-main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("own-spare.img"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse", by_devices=True)
    dm.run("remap", dm.name, "2048+64")
    dm.stop()
    winner = support.dmremap("examine", dm.spare, "--json").json()["winner"]["commit"]
    refused(t, "not-in-doubt", "resolve", dm.spare, "--keep", winner, paths=(main, dm.spare))
    refused(t, "no-metadata", "resolve", dm.spare, "--keep", "0" * 32, exit=1,
            paths=(main, dm.spare))
    refused(t, "usage", "resolve", dm.spare, "--keep", "all", exit=2, paths=(main, dm.spare))
    seals.overwrite(dm.spare, bytes(4096), seals.places(dm.spare)[10:])
    support.dmremap("start", dm.spare, main, expect=3)
    support.dmremap("resolve", main, dm.spare, "--keep", winner)
    support.dmremap("check", dm.spare, main)
    dm.start("fuse", by_devices=True)
    equal(dm.status()["remapped_sectors"], 64, "remapped sectors")
    dm.stop()


support.run_test(resolve, fuse=True)
