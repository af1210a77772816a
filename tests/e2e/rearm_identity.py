#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promises 1 and 8 while a set runs: a main that vanished is not taken back as its stale copy, nor as
what the set itself serves, and the set can be stopped."""

import shutil
import time

import product
import support
from support import check, equal

WAIT_S = 8  # several looks for main


def _read(device, sector):
    """Eight sectors, or None: an error."""
    try:
        return bytes(support.read_sectors(device, sector, 8))
    except OSError:
        return None


def _a_stale_copy(t):
    disk = t.lab(size="64MiB")
    main = t.loop(disk.path)
    support.run("mkfs.ext4", "-q", "-F", main)
    dm = product.Product(t, main, t.path("a.spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    copy = t.path("copy.img")
    with open(main, "rb") as source, open(copy, "wb") as target:
        shutil.copyfileobj(source, target)
    clone = t.loop(copy)
    with open(copy, "rb") as file:
        before = file.read()
    data = b"acknowledged and flushed".ljust(4096, b".")
    support.write_sectors(device, 65536, data)
    support.flush(device)
    disk.unplug()
    equal(_read(device, 65536), None, "main is away")
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        status = dm.status()
        equal((status["state"], status["main"]["path"]), ("tripped", main), "the copy is not main")
        equal(_read(device, 65536), None, "no stale data")
        time.sleep(0.5)
    with open(copy, "rb") as file:
        check(file.read() == before, "nothing was written to the copy")
    disk.replug()
    support.wait_until(lambda: dm.status()["state"] != "tripped", "the disk itself is taken back")
    equal(_read(device, 65536), data, "with what was flushed to it")
    support.detach_loop(clone)
    dm.stop()


def _what_it_serves_itself(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("b.spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    support.run("mkfs.ext4", "-q", "-F", device)
    dm.run("remap", dm.name, "0+16")
    time.sleep(3)  # mkfs has left evidence of itself: it is taken at most once a second
    disk.unplug()
    _read(device, 65536)
    time.sleep(WAIT_S)
    done = support.run("fuser", "-v", device, expect=None)
    check("dmremap" not in done.out + done.err, f"it holds its own device: {done}")
    equal(dm.status()["state"], "tripped", "not taken")
    disk.replug()
    support.wait_until(lambda: dm.status()["state"] != "tripped", "the disk itself is taken back")
    dm.stop(expect=(0, 1))


def rearm_identity(t):
    _a_stale_copy(t)
    _what_it_serves_itself(t)


support.run_test(rearm_identity, root=True, fuse=True, loop=True)
