#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 8 for a spare: one that vanished and comes back under another node is used again without a
restart, because its metadata says that it is the one; a stale copy of it is refused and named, and so
are two devices that both might be it."""

import errno
import shutil
import sys
import time

import lab_process
import product
import support
from support import check, equal, equal_bytes, expect_errno, pattern

BACK_WITHIN_S = 10
WAIT_S = 8  # several looks for the spare


def _set_with_bad_main(t, spare):
    disk = t.lab(size="32MiB", fill="old")
    disk.fault("write", "64+64")
    dm = product.Product(t, disk.path, spare)
    dm.create()
    dm.start("fuse")
    return dm


def _remap(dm, sector):
    """What main does not take goes to the spare."""
    support.write_sectors(dm.device, sector, pattern(sector, 8, "saved"))
    support.flush(dm.device)
    _expect_saved(dm, sector)


def _expect_saved(dm, sector):
    equal_bytes(support.read_sectors(dm.device, sector, 8), pattern(sector, 8, "saved"), "remapped")


def _expect_away(dm):
    with expect_errno(errno.EIO):
        support.write_sectors(dm.device, 120, pattern(120, 8, "refused"))
    support.wait_until(lambda: "spare-away" in dm.status()["conditions"], "spare-away",
                       seconds=BACK_WITHIN_S)


def _expect_back(dm, node):
    support.wait_until(lambda: dm.status()["state"] == "healthy", f"the spare is back: {dm.status()}",
                       seconds=BACK_WITHIN_S)
    equal(dm.status()["spares"][0]["path"], node, "where the spare is")
    check(any(node in event["text"] for event in dm.events("spare-away")), "an event names it")


def _expect_refused(dm, *nodes):
    """Named in the status and by one event, and the set stays as it is."""
    def told():
        return all(f"{node}" in dm.status()["reason"] for node in nodes)

    support.wait_until(told, f"{nodes} named: {dm.status()}", seconds=BACK_WITHIN_S)
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        check("spare-away" in dm.status()["conditions"], "it is not taken")
        time.sleep(0.5)
    # The event that the spare went away has its own words first, and names what was known by then.
    told_at_all = [e["text"] for e in dm.events("spare-away") if e["severity"] == "error"]
    named = [text for text in told_at_all
             if all(node in text for node in nodes) and not text.startswith("the spare does not answer")]
    equal(len(named), 1, f"events about {nodes}: {told_at_all}")
    check("read-only" not in dm.status()["conditions"], "the set is not given up")
    equal_bytes(support.read_sectors(dm.device, 4096, 8), pattern(4096, 8, "old"), "good sectors")


def another_node(t):
    first = t.lab(size="32MiB")
    before = t.loop(first.path)
    dm = _set_with_bad_main(t, before)
    _remap(dm, 64)
    lab_process.kill(first)
    _expect_away(dm)
    after = t.loop(t.lab(image=first.image).path)
    _expect_back(dm, after)
    _expect_saved(dm, 64)
    _remap(dm, 72)
    support.detach_loop(before, missing_ok=True)
    dm.stop()
    dm.start("fuse")
    _expect_saved(dm, 64)
    _expect_saved(dm, 72)
    dm.stop()


def the_same_path(t):
    """An image on a file system that was mounted anew."""
    spare = t.lab(size="32MiB")
    dm = _set_with_bad_main(t, spare.path)
    _remap(dm, 64)
    lab_process.kill(spare)
    _expect_away(dm)
    spare.serve()
    _expect_back(dm, spare.path)
    _expect_saved(dm, 64)
    _remap(dm, 72)
    dm.stop()


def read_only(t):
    first = t.lab(size="32MiB")
    dm = _set_with_bad_main(t, t.loop(first.path))
    _remap(dm, 64)
    dm.stop()
    dm.start("fuse", "--read-only")
    _expect_saved(dm, 64)
    lab_process.kill(first)
    with expect_errno(errno.EIO):
        support.read_sectors(dm.device, 64, 8)
    support.wait_until(lambda: "spare-away" in dm.status()["conditions"], "spare-away",
                       seconds=BACK_WITHIN_S)
    after = t.loop(t.lab(image=first.image).path)
    support.wait_until(lambda: "spare-away" not in dm.status()["conditions"], "it is back",
                       seconds=BACK_WITHIN_S)
    equal(dm.status()["spares"][0]["path"], after, "where the spare is")
    _expect_saved(dm, 64)
    dm.stop()


def stale_copy(t):
    first = t.lab(size="32MiB")
    dm = _set_with_bad_main(t, t.loop(first.path))
    copy = shutil.copyfile(first.image, t.path("copy.img"))
    _remap(dm, 64)
    with open(copy, "rb") as file:
        before = file.read()
    clone = t.loop(copy)
    lab_process.kill(first)
    _expect_away(dm)
    _expect_refused(dm, clone)
    with open(copy, "rb") as file:
        check(file.read() == before, "nothing was written to the copy")
    after = t.loop(t.lab(image=first.image).path)
    _expect_back(dm, after)
    _expect_saved(dm, 64)
    _remap(dm, 72)
    dm.stop()


def twins(t):
    first = t.lab(size="32MiB")
    dm = _set_with_bad_main(t, t.loop(first.path))
    _remap(dm, 64)
    one, other = (t.loop(shutil.copyfile(first.image, t.path(name))) for name in ("one", "other"))
    lab_process.kill(first)
    _expect_away(dm)
    _expect_refused(dm, one, other)
    support.detach_loop(other)
    _expect_back(dm, one)
    _expect_saved(dm, 64)
    dm.stop()


SITUATIONS = (another_node, the_same_path, read_only, stale_copy, twins)


def spare_returns(t):
    named = dict((situation.__name__, situation) for situation in SITUATIONS)
    for name in sys.argv[1:] or named:
        print(name, flush=True)
        named[name](t)


support.run_test(spare_returns, root=True, fuse=True, loop=True)
