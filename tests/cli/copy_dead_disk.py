#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""copy of a disk of which nine tenths are dead, and slow to say so: what reads well is on the target
long before the dead part was asked through; interrupted, it goes on; a main that fails everywhere is
answered with the commands that are left."""

import contextlib
import errno
import os
import re
import signal
import subprocess
import time

import product
import support
import terminal
from support import MIB, SECTOR, check, equal, equal_bytes, pattern

DISK_MIB = 64
SECTORS = DISK_MIB * MIB // SECTOR
DEAD_FIRST, DEAD_COUNT = 4 * MIB // SECTOR, 58 * MIB // SECTOR
ERROR_MS = 5


def _read(path, sector, count):
    with open(path, "rb") as file:
        file.seek(sector * SECTOR)
        return file.read(count * SECTOR)


def _good_parts():
    return [(0, DEAD_FIRST), (DEAD_FIRST + DEAD_COUNT, SECTORS - DEAD_FIRST - DEAD_COUNT)]


def _has_good_parts(target):
    return os.path.exists(target) and all(
        _read(target, first, count) == pattern(first, count, "disk")
        for first, count in _good_parts())


def _start_copy(dm, target):
    return subprocess.Popen([support.DMREMAP, "copy", dm.name, target], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def copy_dead_disk(t):
    disk = t.lab(size=f"{DISK_MIB}MiB", fill="disk")
    disk.fault(f"read:ENODATA+slow:{ERROR_MS}", f"{DEAD_FIRST}+{DEAD_COUNT}")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    target = t.path("copy.img")
    begun = time.monotonic()
    with support.expect_errno(errno.EIO):
        support.read_sectors(dm.device, DEAD_FIRST + DEAD_COUNT // 2, 8)
    all_dead_s = (time.monotonic() - begun) * DEAD_COUNT / 8

    begun = time.monotonic()
    copying = _start_copy(dm, target)
    t.cleanup.push(copying.kill)
    support.wait_until(lambda: _has_good_parts(target), "the good part", every=0.1)
    took = time.monotonic() - begun
    print(f"good part after {took:.1f} s; the dead one alone takes {all_dead_s:.0f} s", flush=True)
    check(took < all_dead_s / 4, f"what reads well comes first: {took} s of {all_dead_s} s")
    check(copying.poll() is None, "it goes on with the rest")
    copying.send_signal(signal.SIGINT)
    _, err = copying.communicate(timeout=300)
    equal(copying.returncode, 1, "exit when interrupted")
    check("still to be copied" in err and target + ".map" in err, err)

    # Killed, too, it leaves a mapfile that is true; and the same command goes on from there.
    copying = _start_copy(dm, target)
    time.sleep(2)
    copying.kill()
    copying.wait()
    done = support.run("ddrescuelog", "--list-blocks=+", "--block-size=512", target + ".map").out
    for sector in map(int, done.split()[::997]):
        equal_bytes(_read(target, sector, 1), pattern(sector, 1, "disk"), f"sector {sector}")

    # The rest fails at once now.
    disk.clear()
    disk.fault("read:ENODATA", f"{DEAD_FIRST}+{DEAD_COUNT}")
    # A person sees what is left, and for how long, also of what did not read at first.
    shown = terminal.run("copy", dm.name, target, expect=None)
    check(re.search(r"\d+ %  .* MiB did not read at first: .* of 64 MiB .*/s .* left", shown), shown)
    done = dm.run("copy", dm.name, target, "--json", expect=(0, 1)).json()
    equal(done["copied_sectors"], SECTORS - DEAD_COUNT, "copied in the end")
    equal(done["left_out_sectors"] + done["unread_sectors"], DEAD_COUNT, "and all the rest is not")
    equal_bytes(_read(target, DEAD_FIRST, DEAD_COUNT), bytes(DEAD_COUNT * SECTOR), "left as it was")
    text = dm.run("copy", dm.name, target, expect=(0, 1))
    said = text.out + text.err
    for command in (f"ddrescue --idirect {disk.path} rescue.img rescue.map",
                    f"dmremap backfill {dm.name} rescue.img --mapfile rescue.map"):
        check(command in said, f"{command}: {said}")

    # Main answers nothing at all.
    disk.unplug()
    with contextlib.suppress(OSError):
        support.read_sectors(dm.device, 64)
    support.wait_until(lambda: "tripped" in dm.status()["conditions"], "tripped")
    error = dm.run("copy", dm.name, target, expect=1).one_line_error()
    check("main cannot be read now" in error and "ddrescue" in error and "backfill" in error, error)
    check("cache" not in error and "/dev/loop" not in error, f"blames no loop device: {error}")
    disk.replug()


support.run_test(copy_dead_disk, fuse=True, programs=["ddrescuelog"])
