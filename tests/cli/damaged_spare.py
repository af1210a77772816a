#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Garbage on the spare: nothing is started fresh over it, `examine` shows it, a doubtful set is
served only read-only and only on demand (promise 7)."""

import os

import product
import seals
import support
from support import check, equal
from untouched import refused, untouched


def _examined(spare, exit):
    return support.dmremap("examine", spare, "--json", expect=exit).json()


def damaged_spare(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    spare, paths = dm.spare, (main, dm.spare)
    places = seals.places(spare)
    equal(_examined(spare, 0)["winner"]["writable"], True, "a new set is writable")

    # One damaged copy: seen, and no reason not to start.
    with open(spare, "rb") as file:
        whole = file.read()
    seals.overwrite(spare, b"\xa5" * 4096, places[:2])
    seen = _examined(spare, 4)
    equal(seen["devices"][0]["copies"][0]["slots"][0]["verdict"], "corrupt", "verdict")
    equal(seen["winner"]["writable"], True, "one copy is not missed")

    # Six of eight copies: what is left may not be the newest.
    seals.overwrite(spare, b"\xa5" * 4096, places[:12])
    seen = _examined(spare, 4)
    equal(seen["winner"]["writable"], False, "a commit could be hidden")
    refused(t, "metadata-doubtful", "start", main, spare, paths=paths)
    refused(t, "metadata-doubtful", "start", main, spare, "--read-only", paths=paths)
    refused(t, "spare-has-set", "create", "new", main, spare, "--force", paths=paths)
    before = [open(path, "rb").read() for path in paths]
    where = dm.start("fuse", "--read-only", "--stale-ok", by_devices=True)
    status = dm.run("status", dm.name, "--json", expect=4).json()
    equal((status["doubtful"], status["state"]), (True, "read-only"), "status of a doubtful set")
    with open(where, "rb") as file:
        equal(file.read(4096), before[0][:4096], "what is served")
    dm.stop()
    equal([open(path, "rb").read() for path in paths] == before, True, "nothing was written")

    # Every seal damaged, then pure garbage, then nothing at all.
    with open(spare, "wb") as file:
        file.write(whole)
    for offset in places:
        seals.overwrite(spare, b"damage", [offset + 100])
    refused(t, "metadata-doubtful", "start", main, spare, paths=paths)
    equal(_examined(spare, 1)["winner"], None, "winner")
    for garbage in (os.urandom(16 * support.MIB), bytes(16 * support.MIB)):
        with open(spare, "wb") as file:
            file.write(garbage)
        refused(t, "missing-device", "start", main, spare, paths=paths)
        refused(t, "missing-device", "start", spare, paths=paths)
        with untouched(t, *paths):
            equal(_examined(spare, 1)["set"], None, "set")
    check(not dm.is_running(), "nothing runs")


support.run_test(damaged_spare, fuse=True)
