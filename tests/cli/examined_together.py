#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`examine` reads the devices that it was given at the same time, and tells of them in the order in
which they were given."""

import time

import support
from support import check, equal

DEVICES = 4
SLOW_MS = 1000


def _examined(paths):
    begun = time.monotonic()
    done = support.dmremap("examine", *paths, "--json", expect=1)  # no set is on any of them
    return time.monotonic() - begun, [device["path"] for device in done.json()["devices"]]


def examined_together(t):
    disks = [t.lab(size="16MiB") for _ in range(DEVICES)]
    for disk in disks:
        disk.fault(f"slow:{SLOW_MS}", "0+2048")
    paths = [disk.path for disk in disks]
    one_s, _ = _examined(paths[:1])
    check(one_s >= SLOW_MS / 1000, "the disk was slow")
    all_s, listed = _examined(paths)
    equal(listed, paths, "the devices, in order")
    check(all_s < one_s * DEVICES / 2, f"one took {one_s:.1f} s, {DEVICES} took {all_s:.1f} s")
    _, listed = _examined(paths[::-1])
    equal(listed, paths[::-1], "the devices, in the other order")


support.run_test(examined_together, root=True, fuse=True)
