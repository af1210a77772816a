#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""backfill gives lost sectors their data from the image of a real ddrescue, and touches nothing
else."""

import errno

import product
import support
import untouched
from support import check, equal, equal_bytes, pattern


def _lose(device, sectors):
    for sector in sectors:
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector)


def _rescued(t):
    """A rescue when three places were bad; then the disk got worse."""
    disk = t.lab(size="16MiB", fill="old")
    for place in ("1000+8", "20001", "32760+8"):
        disk.fault("read", place)
    image, mapfile = t.path("rescued.img"), t.path("rescued.map")
    support.run("ddrescue", "--force", "--idirect", "--sector-size=512", disk.path, image, mapfile)
    for place in ("2000+16", "3000+4"):
        disk.fault("read", place)
    return disk, image, mapfile


def _with_mapfile(t):
    disk, image, mapfile = _rescued(t)
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    lost = [*range(1000, 1008), 20001, *range(2000, 2016), *range(3000, 3004)]
    _lose(device, lost)
    support.write_sectors(device, 2004, pattern(2004, 2, "new"))
    dm.run("remap", dm.name, "5000+4")
    main_before = untouched.digest(disk.image)

    would = dm.run("backfill", dm.name, image, "--mapfile", mapfile, "--dry-run", "--json").json()
    equal((would["filled_sectors"], would["missing_sectors"], would["dry_run"]), (18, 9, True))
    equal(dm.status()["lost_sectors"], 27, "a dry run changes nothing")
    done = dm.run("backfill", dm.name, image, "--mapfile", mapfile, "--json").json()
    equal((done["filled_sectors"], done["missing_sectors"], done["kept_gone_sectors"]), (18, 9, 0))
    equal(dm.status()["lost_sectors"], 9, "what the image lacks stays lost")
    _lose(device, [1000, 1007, 20001])

    def all_right(when):
        equal_bytes(support.read_sectors(device, 2000, 4), pattern(2000, 4, "old"), when)
        equal_bytes(support.read_sectors(device, 2004, 2), pattern(2004, 2, "new"), "written")
        equal_bytes(support.read_sectors(device, 2006, 10), pattern(2006, 10, "old"), when)
        equal_bytes(support.read_sectors(device, 3000, 4), pattern(3000, 4, "old"), when)
    all_right("filled")
    texts = [e["text"] for e in dm.events("recovered")]
    check("filled from an image" in texts, f"the events tell of it: {texts}")
    equal(untouched.digest(disk.image), main_before, "main")
    dm.kill()
    device = dm.start("fuse")
    all_right("after a crash")
    text = dm.run("backfill", dm.name, image, "--mapfile", mapfile).out
    check(text.startswith("0 sectors filled"), f"again: {text}")
    return dm, image, mapfile


def _gone(t):
    """What was newer than main's is not given older data unasked."""
    main = t.lab(size="16MiB", fill="old")
    dm = product.Product(t, main.path, t.path("spare2"))
    dm.create("--spare-size", "32MiB")
    image = t.image("image2.img", "16MiB", fill="old")
    device = dm.start("fuse")
    dm.make_gone(main, 5000, 4)
    _lose(device, range(5000, 5004))
    done = dm.run("backfill", dm.name, image)
    check("--gone" in done.out, f"says how: {done}")
    _lose(device, range(5000, 5004))
    done = dm.run("backfill", dm.name, image, "--json").json()
    equal((done["filled_sectors"], done["kept_gone_sectors"]), (0, 4), "kept")
    done = dm.run("backfill", dm.name, image, "--gone", "--json").json()
    equal((done["filled_sectors"], done["kept_gone_sectors"]), (4, 0), "filled")
    equal_bytes(support.read_sectors(device, 5000, 4), pattern(5000, 4, "old"), "the image's")
    dm.stop()


def _refusals(t, dm, image, mapfile):
    short = t.image("short.img", "8MiB")
    long = t.image("long.img", "17MiB")
    whole = t.path("whole.map")
    with open(whole, "w", encoding="ascii") as file:
        file.write(f"0 + 1\n0 {17 * support.MIB} +\n")
    before = dm.status()["lost_sectors"]
    for args, exit_code, code in (
            ([short], 3, "device-too-small"), ([long], 3, "device-too-large"),
            ([image, "--mapfile", whole], 2, "usage"), ([image, "--mapfile", image], 2, "usage"),
            ([t.path("nowhere")], 1, "no-such-device"), ([image, "--mapfile", t.dir], 1, None)):
        done = dm.run("backfill", dm.name, *args, "--json", expect=exit_code)
        done.one_line_error()
        if code:
            equal(done.error_json()["code"], code, done)
    equal(dm.status()["lost_sectors"], before, "nothing changed")
    dm.stop()
    dm.run("backfill", dm.name, image, expect=1).one_line_error()
    dm.start("fuse", "--read-only")
    if before:
        done = dm.run("backfill", dm.name, image, "--mapfile", mapfile, "--json", expect=(0, 1))
        check(done.exit == 0 or done.error_json()["code"] == "read-only", done)
    equal(dm.status()["lost_sectors"], before, "nothing changed")
    dm.stop()


def backfill(t):
    dm, image, mapfile = _with_mapfile(t)
    _refusals(t, dm, image, mapfile)
    _gone(t)


support.run_test(backfill, root=True, fuse=True, programs=["ddrescue"])
