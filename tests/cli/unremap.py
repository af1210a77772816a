#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""unremap brings data back to a main that is well again, with a file system on it; what main still
refuses stays remapped and is named."""

import hashlib
import os

import product
import support
from support import check, equal, equal_bytes, pattern


def _fill(mount):
    sums = {}
    for number in range(12):
        data = pattern(number * 3000, 2000, "unremap")
        name = f"file{number}"
        with open(os.path.join(mount, name), "wb") as file:
            file.write(data)
            os.fsync(file.fileno())
        sums[name] = hashlib.sha256(data).hexdigest()
    return sums

def _sums(mount, names):
    out = {}
    for name in names:
        with open(os.path.join(mount, name), "rb") as file:
            out[name] = hashlib.sha256(file.read()).hexdigest()
    return out

def unremap(t):
    disk = t.lab(size="64MiB")
    for sector in range(2048, 131072, 1021):
        disk.fault("write", f"{sector}+3")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    support.run("mkfs.ext4", "-q", "-b", "4096", device)
    mount = t.mount(device)
    sums = _fill(mount)
    remapped = dm.status()["remapped_sectors"]
    check(remapped > 20, f"sectors were remapped: {remapped}")
    free = dm.status()["spares"][0]["free_sectors"]

    # Main still refuses all of them: they stay, and the exit code says so.
    done = dm.run("unremap", dm.name, "0+131072", "--json", expect=1)
    equal((done.json()["returned_sectors"], done.json()["kept_sectors"]), (0, remapped), "kept")
    error = done.error_json()
    check(error["code"] == "io" and "sector" in error["what"] and error["hint"], error)
    equal(dm.status()["remapped_sectors"], remapped, "still remapped")

    # Some are well again.
    disk.clear("0+65536")
    done = dm.run("unremap", dm.name, "0+131072", expect=1)
    check(done.one_line_error().startswith("dmremap: "), done)
    left = dm.status()["remapped_sectors"]
    check(0 < left < remapped, f"some came back: {left} of {remapped}")

    # All are, and the file system is in use meanwhile.
    disk.clear()
    done = dm.run("unremap", dm.name, "0+131072", "--json").json()
    equal((done["returned_sectors"], done["kept_sectors"]), (left, 0), "all came back")
    status = dm.status()
    equal((status["remapped_sectors"], status["state"]), (0, "healthy"), "status")
    equal(status["spares"][0]["free_sectors"], free + remapped, "the spare sectors are free")
    equal(status["spares"][0]["retired_sectors"], 0, "none of them retired")
    equal(_sums(mount, sums), sums, "files, through the set")
    support.unmount(mount)
    check("0 sectors" in dm.run("unremap", dm.name, "0+131072").out, "again: nothing to do")
    check("release" in dm.run("unremap", dm.name, "--all").out, "all of nothing: it can end")
    dm.run("unremap", dm.name, "131072", expect=2).one_line_error()
    dm.stop()

    # Main alone has it all now.
    alone = t.loop(disk.path)
    support.run("e2fsck", "-f", "-n", alone)
    mount = t.mount(alone, "alone", "-o", "ro")
    equal(_sums(mount, sums), sums, "files, from main alone")
    support.unmount(mount)
    support.detach_loop(alone)

    # Read-only: refused.
    dm.start("fuse", "--read-only")
    equal(dm.run("unremap", dm.name, "0", "--json", expect=1).error_json()["code"], "read-only")
    equal_bytes(support.read_sectors(disk.path, 0), support.read_sectors(dm.device, 0), "read on")

support.run_test(unremap, root=True, fuse=True, loop=True, programs=["mkfs.ext4", "e2fsck"])
