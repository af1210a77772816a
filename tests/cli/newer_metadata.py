#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Metadata of a newer version is never started from and never overwritten, whatever is insisted on
(promise 7)."""

import seals
import support
from support import equal
from untouched import refused, untouched


def _next_version(seal):
    seal[8:12] = (int.from_bytes(seal[8:12], "little") + 1).to_bytes(4, "little")


def _unknown_incompatible_feature(seal):
    seal[32:40] = (1 << 40).to_bytes(8, "little")


def newer_metadata(t):
    for number, change in enumerate((_next_version, _unknown_incompatible_feature)):
        main = t.image(f"main{number}.img", "16MiB", fill=number)
        spare = t.path(f"spare{number}.img")
        support.dmremap("create", f"data{number}", main, spare, "--spare-size", "16MiB")
        uuid = support.dmremap("examine", spare, "--json").json()["set"]["uuid"]
        seals.edit(spare, change, seals.places(spare))

        paths = (main, spare)
        for options in ([], ["--force"], ["--destroy", uuid], ["--force", "--destroy", uuid]):
            refused(t, "metadata-newer", "create", "again", main, spare, *options, paths=paths)
        for options in ([], ["--read-only"], ["--read-only", "--stale-ok"],
                        ["--accept-main-changed"]):
            refused(t, "metadata-newer", "start", main, spare, *options, paths=paths)
        with untouched(t, *paths):
            seen = support.dmremap("examine", spare, "--json", expect=1).json()
            equal(seen["winner"], None, "winner")


support.run_test(newer_metadata)
