#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A start opens each of its devices once to look and once to hold: each open and each read of a
failing disk may cost a minute."""

import os

import product
import support
from support import check, equal

LOOK_AND_HOLD = 2


def _opens(t, dm, by_devices):
    log = t.path(f"opens.{dm.name}.{by_devices}")  # the stop writes there too
    env = os.environ | {"LD_PRELOAD": os.environ["COUNT_OPENS"], "OPENS_FILE": log}
    dm.start("fuse", by_devices=by_devices, env=env)
    with open(log) as file:
        paths = file.read().splitlines()
    dm.stop()
    counts = paths.count(dm.main), paths.count(dm.spare)
    print(f"opens in one start: main {counts[0]}, spare {counts[1]}")
    return counts


def opens_at_start(t):
    for main, spare in ((t.loop(t.image("a.img", "64MiB")), t.loop(t.image("a.spare", "32MiB"))),
                        (t.image("b.img", "64MiB"), t.image("b.spare", "32MiB"))):
        dm = product.Product(t, main, spare)
        dm.create()
        for by_devices in (True, False):
            counts = _opens(t, dm, by_devices)
            check(min(counts) >= 1, f"they were counted at all: {counts}")
            equal(counts, (LOOK_AND_HOLD, LOOK_AND_HOLD), f"{main}, by devices: {by_devices}")


support.run_test(opens_at_start, root=True, fuse=True, loop=True)
