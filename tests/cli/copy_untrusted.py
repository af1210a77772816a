#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""copy calls nothing copied that is not on the target now, and release --copied takes nothing that
was written beside it: across runs, by who had the device open, under a target that changed."""

import os
import subprocess
import sys
import time

import product
import support
from support import check, equal, equal_bytes, pattern

SIZE = 16 * support.MIB
SECTORS = SIZE // support.SECTOR


def _set(t, number):
    disk = t.lab(size="16MiB", fill="old")
    dm = product.Product(t, disk.path, t.path(f"untrusted-spare{number}"))
    dm.create("--spare-size", "32MiB")
    return disk, dm


def _remapped_set(t, number):
    """Sectors 5000 to 5003 live on the spare: release refuses without a copy."""
    disk, dm = _set(t, number)
    disk.fault("write", "5000+4")
    device = dm.start("block")
    support.write_sectors(device, 5000, pattern(5000, 4, "new"))
    return disk, dm, device


def _is_copy(target, image):
    with open(target, "rb") as one, open(image, "rb") as other:
        equal_bytes(one.read(), other.read(), f"{target}")


def _refused(done, code, exit=3):
    equal(done.exit, exit, f"{done}")
    equal(done.error_json()["code"], code, f"{done}")


def _another_run(t):
    """A read-only start makes no new term: what a run wrote is not in a copy of the one before."""
    disk, dm = _set(t, 1)
    file = dm.start("fuse")
    target = t.path("copy.img")
    run = dm.status()["run"]
    dm.run("copy", dm.name, target)
    with open(file, "r+b", buffering=0) as user:
        user.write(pattern(0, 8, "new"))
        os.fsync(user.fileno())
    dm.stop()
    dm.start("fuse", "--read-only")
    check(dm.status()["run"] != run, "each opening is a run of its own")
    done = dm.run("copy", dm.name, target)
    check("copied again" in done.err, f"says so: {done}")
    dm.stop()
    equal(dm.status()["run"], None, "a stopped set has none")
    _is_copy(target, disk.image)


def _in_flight(t):
    """Somebody writes through the device while it is copied."""
    disk, dm, device = _remapped_set(t, 2)
    target = t.path("flight.img")
    disk.fault("write+slow:1000", "20000+8")
    writer = subprocess.Popen(["dd", "if=/dev/zero", f"of={device}", "bs=4096", "seek=2500",
                               "count=1", "oflag=direct"], stderr=subprocess.DEVNULL)
    time.sleep(0.7)
    _refused(dm.run("copy", dm.name, target, "--json", expect=None), "device-in-use")
    equal(writer.wait(), 0, "the write")
    check(not os.path.exists(target), "nothing was made")
    dm.run("copy", dm.name, target)
    dm.stop()
    equal_bytes(support.read_sectors(target, 20000, 8), bytes(4096), "what was in flight")
    dm.run("release", dm.spare, "--copied")


def _held_open(t):
    """Whoever has the device open, or the file beneath it, may write."""
    _, dm, device = _remapped_set(t, 3)
    target = t.path("held.img")
    file = os.path.join(t.runtime_dir, f"{dm.name}.dev")
    for path in (device, file):
        with open(path, "rb"):
            _refused(dm.run("copy", dm.name, target, "--json", expect=None), "device-in-use")
    dm.run("copy", dm.name, target)
    dm.stop()
    dm.run("release", dm.spare, "--copied")


def _discarded(t):
    """A discard and zeroes void a copy like a write."""
    for number, command in enumerate((["blkdiscard"], ["blkdiscard", "--zeroout"])):
        _, dm, device = _remapped_set(t, f"4{number}")
        dm.run("copy", dm.name, t.path(f"discarded{number}.img"))
        support.run(*command, "--offset", "4MiB", "--length", "1MiB", device)
        dm.stop()
        _refused(dm.run("release", dm.spare, "--copied", "--json", expect=None), "still-remapped")


def _changed_target(t):
    """What a mapfile calls finished counts if it is still there."""
    disk, dm = _set(t, 5)
    dm.start("fuse")
    target = t.path("changed.img")
    dm.run("copy", dm.name, target)

    support.write_sectors(target, 3000, bytes(4096))
    done = dm.run("copy", dm.name, target, "--json").json()
    equal((done["resumed_sectors"], done["recorded"]), (SECTORS, True), "goes on")
    _is_copy(target, disk.image)

    os.truncate(target, 0)
    dm.run("copy", dm.name, target)
    _is_copy(target, disk.image)

    os.truncate(target, SIZE // 2)
    _refused(dm.run("copy", dm.name, target, "--json", expect=None), "file-exists")
    equal(os.path.getsize(target), SIZE // 2, "is not made longer unasked")
    dm.run("copy", dm.name, target, "--force")
    _is_copy(target, disk.image)

    image = t.image("changed-disk.img", SIZE)
    loop = t.loop(image)
    mapfile = t.path("changed-disk.map")
    dm.run("copy", dm.name, loop, "--mapfile", mapfile)
    support.run("blkdiscard", "--zeroout", loop)
    dm.run("copy", dm.name, loop, "--mapfile", mapfile)
    equal_bytes(support.read_sectors(loop, 0, SECTORS), pattern(0, SECTORS, "old"), "the disk")
    dm.stop()


def _mapfile_elsewhere(t):
    """The mapfile is none of what is copied or copied to, under whatever name."""
    disk, dm = _set(t, 6)
    dm.start("fuse")
    target = t.path("elsewhere.img")
    link, hard = t.path("elsewhere.link"), t.path("elsewhere.hard")
    _refused(dm.run("copy", dm.name, target, "--mapfile", target, "--json", expect=None),
             "same-device")
    check(not os.path.exists(target), "nothing was made")
    with open(target, "wb"):
        pass
    os.symlink(target, link)
    os.link(target, hard)
    for mapfile in (target, link, hard, disk.path, dm.spare, dm.device):
        _refused(dm.run("copy", dm.name, target, "--mapfile", mapfile, "--json", expect=None),
                 "same-device")
        equal(os.path.getsize(target), 0, f"untouched: {mapfile}")
    dm.run("copy", dm.name, target)
    _is_copy(target, disk.image)
    dm.stop()


def _replaced_target(t):
    """The path names another file when the copy is whole: that one is no copy."""
    disk, dm = _set(t, 7)
    disk.fault("slow:2000", "20000+8")
    dm.start("fuse")
    target = t.path("replaced.img")
    child = subprocess.Popen([support.DMREMAP, "copy", dm.name, target, "--json"],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    support.wait_until(lambda: os.path.exists(target + ".map"), "a mapfile")
    os.rename(target, t.path("moved.img"))
    t.image("replaced.img", SIZE)
    _, err = child.communicate(timeout=300)
    equal(child.returncode, 3, f"refused: {err}")
    check("copy-outdated" in err, err)
    dm.stop()


SITUATIONS = {run.__name__[1:]: run for run in (
    _another_run, _in_flight, _held_open, _discarded, _changed_target, _mapfile_elsewhere,
    _replaced_target)}


def copy_untrusted(t):
    SITUATIONS[sys.argv[1]](t)


support.run_test(copy_untrusted, root=True, fuse=True, loop=True, programs=["blkdiscard"])
