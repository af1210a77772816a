#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`create` refuses what is unsafe, says why, and changes not one byte."""

import os

import support
from support import check, equal
from untouched import digest, put_raid_superblock, refused, untouched


def create_refusals(t):
    main = t.image("main.img", "64MiB", fill=1)
    spare = t.image("spare.img", "32MiB")
    both = (main, spare)

    # Devices that are not there, are none, or are too small.
    refused(t, "no-such-device", "create", "data", t.path("none"), spare, exit=1, paths=both)
    refused(t, "no-such-device", "create", "data", main, t.path("none"), exit=1, paths=both)
    refused(t, "not-a-device", "create", "data", t.dir, spare, exit=1, paths=both)
    refused(t, "not-a-device", "create", "data", main, "/dev/null", exit=1, paths=both)
    refused(t, "device-too-small", "create", "data", t.image("empty.img", 0), spare, paths=both)
    tiny = t.image("tiny.img", 16 * support.MIB - 512)
    refused(t, "device-too-small", "create", "data", main, tiny, paths=(main, tiny))
    # The end of main would not be served: said with its length, and the way round.
    odd = t.image("odd.img", 17_000_001)
    error = refused(t, "block-size", "create", "data", odd, spare, paths=(odd, spare))
    check(f"the last {17_000_001 % 512} would not be served" in error["what"], f"what: {error}")
    check("truncate" in error["hint"], f"the way round: {error}")
    new = t.path("new.img")
    refused(t, "device-too-small", "create", "data", main, new, "--spare-size", "15MiB",
            paths=(main, new))
    refused(t, "spare-has-data", "create", "data", main, spare, "--spare-size", "32MiB", paths=both)
    refused(t, "no-such-device", "create", "data", main, t.path("no", "dir.img"), "--spare-size",
            "32MiB", exit=1, paths=(main,))

    # Main and spare are one, by whatever name.
    os.symlink(main, t.path("soft"))
    os.link(main, t.path("hard"))
    for alias in (main, t.path("soft"), t.path("hard")):
        refused(t, "same-device", "create", "data", main, alias, "--force", paths=(main,))

    # A spare that holds something.
    support.run("mkfs.ext4", "-q", "-F", spare)
    error = refused(t, "spare-has-data", "create", "data", main, spare, paths=both)
    check("ext4" in error["what"] and "--force" in error["hint"], f"names it: {error}")
    parted = t.image("parted.img", "32MiB")
    with open(parted, "r+b") as file:
        # One Linux partition of 8 MiB at 1 MiB.
        file.seek(446)
        file.write(bytes((0, 0, 2, 0, 0x83, 0, 3, 0)) + (2048).to_bytes(4, "little") +
                   (16384).to_bytes(4, "little") + bytes(48) + b"\x55\xaa")
    refused(t, "spare-has-data", "create", "data", main, parted, paths=(main, parted))

    member = t.image("member.img", "32MiB")
    put_raid_superblock(member)
    error = refused(t, "spare-has-data", "create", "data", main, member, paths=(main, member))
    check("raid" in error["what"], f"names it: {error}")

    # --force takes it, and nothing finds the old contents any more. Main stays as it is.
    before = digest(main)
    for disk, name, failing in ((spare, "data", main), (parted, "other", t.image("2.img", "64MiB")),
                                (member, "third", t.image("3.img", "64MiB"))):
        support.dmremap("create", name, failing, disk, "--force")
        equal(support.run("blkid", "-p", disk, expect=None).out, "", "what blkid finds")
    equal(digest(main), before, "main after create")

    # A spare that holds a set: only its own UUID gives it up.
    uuid = support.dmremap("examine", spare, "--json").json()["set"]["uuid"]
    error = refused(t, "spare-has-set", "create", "fourth", main, spare, "--force", paths=both)
    check(uuid in error["hint"], f"names the set: {error}")
    refused(t, "spare-has-set", "create", "fourth", main, spare, "--destroy",
            "00000000-0000-4000-8000-000000000000", paths=both)
    fresh = t.image("fresh.img", "32MiB")
    refused(t, "spare-unreadable", "create", "fourth", main, fresh, "--destroy", uuid,
            paths=(main, fresh))

    # A name that stands where it was last seen.
    refused(t, "name-in-use", "create", "data", main, fresh, paths=(main, fresh))
    support.dmremap("create", "data", main, spare, "--destroy", uuid)
    check(support.dmremap("examine", spare, "--json").json()["set"]["uuid"] != uuid, "a new set")

    # Damaged metadata is not nothing.
    with open(spare, "r+b") as file:
        for copy in support.dmremap("examine", spare, "--json").json()["devices"][0]["copies"]:
            for slot in (0, 512):
                file.seek((copy["sector"] + slot) * support.SECTOR + 60)
                file.write(b"damage")
    refused(t, "spare-unreadable", "create", "fourth", main, spare, paths=both)
    support.dmremap("create", "fourth", main, spare, "--force")
    with untouched(t, main, spare):
        support.dmremap("examine", spare)


support.run_test(create_refusals, programs=("mkfs.ext4", "blkid"))
