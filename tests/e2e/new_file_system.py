#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 8: a new file system on the device of a set is on record soon, so that a kill leaves a main
that is known by it. Promise 10: writes elsewhere do not have main looked at."""

import time

import product
import support
from support import check, equal

UUID = "6b1f0d3c-53a1-4c5e-9d6f-0a2b7c4d8e91"
LOOKS_S = 8  # longer than from one question of the set to the next


def _bytes_read(dm):
    """By the set, of its devices."""
    with open(f"/proc/{dm.status()['pid']}/io", encoding="ascii") as file:
        return dict(line.split(": ") for line in file.read().splitlines())["read_bytes"]


def _bytes_read_when_quiet(dm):
    was, now = None, _bytes_read(dm)
    while now != was:
        time.sleep(LOOKS_S)
        was, now = now, _bytes_read(dm)
    return now


def _is_on_record(dm):
    with open(dm.spare, "rb") as file:
        return UUID.encode() in file.read()


def new_file_system(t):
    dm = product.Product(t, t.loop(t.image("main", "64MiB")), t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    check(not _is_on_record(dm), "not yet")
    support.run("mkfs.ext4", "-q", "-F", "-U", UUID, device)
    support.wait_until(lambda: _is_on_record(dm), "the new file system is on record")
    # Whatever mkfs wrote last is looked at, too.
    before = _bytes_read_when_quiet(dm)
    support.write_sectors(device, 65536, support.pattern(65536, 8, "elsewhere"))
    time.sleep(LOOKS_S)
    equal(_bytes_read(dm), before, "read after a write elsewhere")
    dm.kill()
    dm.start("fuse")
    dm.stop()


support.run_test(new_file_system, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
