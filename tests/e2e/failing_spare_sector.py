#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 2: a spare sector that fails to read for a while keeps the only copy. It is an error
meanwhile, is told, survives a kill, reads again by itself, in another place, and a write over it
heals at once."""

import errno

import product
import support
from support import check, equal, equal_bytes, expect_errno, pattern

PASSES, WRITTEN = 5000, 7000


def _explain(dm, sector):
    return dm.run("explain", dm.name, sector, "--json").json()


def _fail(dm, spare, device, sector, kind):
    """The place of `sector` on the spare fails until cleared; where it was."""
    place = _explain(dm, sector)["where"]["sector"]
    spare.fault(kind, place)
    with expect_errno(errno.EIO):
        support.read_sectors(device, sector)
    one = _explain(dm, sector)
    equal((one["state"], one["where"]["sector"]), ("remapped", place), "still bound")
    return place


def _reads_again(dm, device, sector, former):
    support.wait_until(lambda: _explain(dm, sector)["failing"] is None, "asked again")
    equal_bytes(support.read_sectors(device, sector - 1, 3), pattern(sector - 1, 3, "kept"), "kept")
    check(_explain(dm, sector)["where"]["sector"] != former, "in another place")


def failing_spare_sector(t):
    main, spare = t.lab(size="64MiB", fill="old"), t.lab(size="32MiB")
    dm = product.Product(t, main.path, spare.path)
    dm.create()
    device = dm.start("fuse", by_devices=True)
    for sector in (PASSES, WRITTEN):
        main.fault("write", f"{sector - 1}+3")
        support.write_sectors(device, sector - 1, pattern(sector - 1, 3, "kept"))

    for kind in ("read:ENODATA", "read"):
        former = _fail(dm, spare, device, PASSES, kind)
        check(_explain(dm, PASSES)["failing"] in ("ENODATA", "EIO"), "says what the spare gave")
        equal_bytes(support.read_sectors(device, PASSES + 1), pattern(PASSES + 1, 1, "kept"), "beside")
        spare.clear()
        _reads_again(dm, device, PASSES, former)
    texts = [event["text"] for event in dm.events() if event["sector"] == PASSES]
    equal(texts[-2:], ["spare sector fails, asked again", "its spare sector reads again"], "told")
    check(not dm.events("gone"), "nothing is given up")

    # Killed while it fails: the binding is there afterwards.
    _fail(dm, spare, device, PASSES, "read:EILSEQ")
    dm.kill()
    spare.clear()
    device = dm.start("fuse", by_devices=True)
    equal_bytes(support.read_sectors(device, PASSES), pattern(PASSES, 1, "kept"), "after a kill")

    former = _fail(dm, spare, device, WRITTEN, "read")
    support.write_sectors(device, WRITTEN, pattern(WRITTEN, 1, "new"))
    equal_bytes(support.read_sectors(device, WRITTEN), pattern(WRITTEN, 1, "new"), "written")
    check(_explain(dm, WRITTEN)["where"]["sector"] != former, "written to another place")
    dm.stop()


support.run_test(failing_spare_sector, root=True, fuse=True)
