#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`release` frees the spare and leaves main alone; while main alone is not enough it asks for the
set's UUID first."""

import product
import seals
import support
from support import check, equal
from untouched import digest, refused


def release(t):
    main = t.image("main.img", "16MiB", fill=1)
    before = digest(main)

    # Nothing remapped: nothing is lost with it.
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    support.dmremap("release", dm.spare)
    with open(dm.spare, "rb") as file:
        equal(file.read(), bytes(16 * support.MIB), "the spare after release")
    refused(t, "no-metadata", "release", dm.spare, exit=1, paths=(main, dm.spare))

    # Something remapped.
    dm = product.Product(t, main, t.path("spare2.img"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse", by_devices=True)
    dm.run("remap", dm.name, "2048+64")
    refused(t, "device-in-use", "release", dm.spare, paths=())
    dm.stop()
    paths = (main, dm.spare)
    uuid = support.dmremap("examine", dm.spare, "--json").json()["set"]["uuid"]
    other = "00000000-0000-4000-8000-000000000000"
    error = refused(t, "still-remapped", "release", dm.spare, paths=paths)
    check(uuid in error["hint"], f"the hint names the UUID: {error}")
    check(f"dmremap unremap {dm.name} --all" in error["hint"], f"and the way back: {error}")
    refused(t, "still-remapped", "release", dm.spare, "--copied", paths=paths)
    refused(t, "still-remapped", "release", dm.spare, "--discard-data", other, paths=paths)

    # Doubtful: what it holds is not known, so it is not thrown away unasked.
    seals.overwrite(dm.spare, bytes(4096), seals.places(dm.spare)[10:])
    refused(t, "metadata-doubtful", "release", dm.spare, paths=paths)
    freed = support.dmremap("release", main, dm.spare, "--discard-data", uuid, "--json").json()
    equal((freed["set"]["uuid"], freed["discarded_sectors"]), (uuid, 64), "what was given up")
    support.dmremap("examine", dm.spare, expect=1)
    equal(digest(main), before, "SHA-256 of main")

    # The name and the device are free again. What the refusal says is done, and it is the way out.
    dm.create()
    dm.start("fuse", by_devices=True)
    dm.run("remap", dm.name, "2048+64")
    dm.run("remap", dm.name, "9000+8")
    dm.stop()
    refused(t, "still-remapped", "release", dm.spare, paths=(dm.spare,))
    dm.start("fuse")
    done = dm.run("unremap", dm.name, "--all", "--json").json()
    equal((done["returned_sectors"], done["kept_sectors"]), (72, 0), "all of it came back")
    check("dmremap release" in dm.run("unremap", dm.name, "--all").out, "and what is next is said")
    dm.stop()
    support.dmremap("release", dm.spare)
    equal(digest(main), before, "SHA-256 of main, with all of its data back")


support.run_test(release, fuse=True)
