#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Lists of bad sectors that were not made for main as it is: of a disk that is no multiple of the
block, of md, of the kernel, of a partition, of the whole disk; and an export for nbdkit's ddrescue
filter."""

import os

import partitions
import product
import support
from support import check, equal

SECTORS = 32769  # no multiple of any block


def _write(t, name, text):
    path = t.path(name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def _import(dm, path, *options, expect=0):
    return dm.run("bad", "import", dm.name, path, *options, "--json", expect=expect)


def _lost(dm):
    """Sectors that are lost, by what an export says."""
    path = dm.t.path("now.map")
    dm.run("bad", "export", dm.name, path, "--force")
    listed = support.run("ddrescuelog", "--list-blocks=-", "--block-size=512", path)
    return [int(line) for line in listed.out.split()]


def _set(t, main, number):
    dm = product.Product(t, main, t.path(f"spare{number}"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    return dm


def _odd_size(t):
    """The last block of a badblocks list begins on main and ends beyond it."""
    main = t.path("main.img")
    with open(main, "wb") as file:
        file.truncate(SECTORS * support.SECTOR)
    dm = _set(t, main, 1)
    _import(dm, _write(t, "last", f"{SECTORS - 1}\n"), "--block-size", "512")
    exported = t.path("exported")
    dm.run("bad", "export", dm.name, exported, "--format", "badblocks", "--block-size", "4096")
    done = _import(dm, exported, "--block-size", "4096").json()
    equal((done["unchanged_sectors"], done["lost_sectors"]), (1, 0), "our own list is taken back")
    beyond = _write(t, "beyond", f"{SECTORS // 8 + 1}\n")
    equal(_import(dm, beyond, "--block-size", "4096", expect=2).error_json()["code"], "usage")
    return dm


def _other_formats(t, dm):
    path = _write(t, "md/dev-sdz1/bad_blocks", "264 8\n1000 1\n")
    equal(_import(dm, path).json()["lost_sectors"], 9, "md's list")
    log = _write(t, "dmesg", "".join(
        f"[ {number}.0] {line}\n" for number, line in enumerate((
            "ata3.00: failed command: READ FPDMA QUEUED",
            "critical medium error, dev sdy, sector 2000 op 0x0:(READ) flags 0x0 phys_seg 1",
            "Buffer I/O error on dev sdy1, logical block 3, async page read",
            "I/O error, dev sdy, sector 3000 op 0x0:(READ) flags 0x80700 phys_seg 1",
            "critical medium error, dev sdx, sector 4000 op 0x0:(READ) flags 0x0 phys_seg 1"))))
    error = _import(dm, log, expect=2).error_json()
    check("sdx, sdy" in error["hint"] and "--device" in error["hint"], error)
    _import(dm, log, "--device", "sdw", expect=2)
    _import(dm, log, "--device", "sdy", "--format", "md", expect=2)
    done = _import(dm, log, "--device", "/dev/sdy").json()
    equal((done["lost_sectors"], done["suspect_sectors"]), (1, 1), "the kernel's log")
    equal(_lost(dm), [*range(264, 272), 1000, 2000, SECTORS - 1], "lost")


def _offsets(t, dm):
    before = _lost(dm)
    part = _write(t, "part", "100 4\n")
    equal(_import(dm, part, "--offset", "20000").json()["lost_sectors"], 4, "a partition's list")
    whole = _write(t, "whole", "0 8\n2050 2\n99999 1\n")
    done = _import(dm, whole, "--offset", "-2048").json()
    equal((done["lost_sectors"], done["left_out_sectors"]), (2, 9), "a list of the whole disk")
    equal(_lost(dm), sorted([*before, 2, 3, *range(20100, 20104)]), "lost")
    for wrong in (["--offset", "x"], ["--offset", "1.5"], ["--offset", "40000"],
                  ["--partition", "/dev/null"], ["--offset", "1", "--partition", "/dev/null"]):
        _import(dm, part, *wrong, expect=2)


def _rounded(t, dm):
    """More areas than the table holds are refused, unless whole physical blocks are fewer."""
    many = _write(t, "many", "".join(f"{4096 + 2 * n} 1\n" for n in range(12000)))
    error = _import(dm, many, expect=1).error_json()
    check(error["code"] == "table-full" and "--round" in error["hint"], error)
    fresh = product.Product(t, t.image("many.img", "16MiB"), t.path("spare-many"))
    error = fresh.create("--spare-size", "32MiB", "--known-bad", many, "--json",
                         expect=1).error_json()
    check(error["code"] == "table-full" and "--known-bad-round" in error["hint"], error)
    # A block of 4096 bytes has four of them.
    done = _import(dm, many, "--round").json()
    check(done["lost_sectors"] >= 12000, f"rounded out: {done}")


def _complete(t, dm):
    """What nbdkit's ddrescue filter makes of the export: main's bad sectors fail, all else reads."""
    complete, usual = t.path("complete.map"), t.path("usual.map")
    dm.run("bad", "export", dm.name, complete, "--complete")
    dm.run("bad", "export", dm.name, usual)
    dm.run("bad", "export", dm.name, t.path("x"), "--complete", "--format", "badblocks", expect=2)
    dm.run("bad", "export", dm.name, t.path("x"), "--format", "md", expect=2)
    for mapfile, sector, fails in ((complete, 0, False), (complete, 264, True), (complete, 272, False),
                                   (complete, 3000, False), (usual, 0, True)):
        said = support.run(
            "nbdkit", "-U", "-", "-r", "--filter=ddrescue", "file", dm.main,
            f"ddrescue-mapfile={mapfile}", "--run",
            f'qemu-io -r -f raw -c "read {sector * 512} 512" "$uri"', expect=None)
        equal("read failed" in said.out + said.err, fails, f"{mapfile} sector {sector}: {said}")


def _mapfile(t, name, sectors, bad):
    return _write(t, name, f"# Mapfile\n0 ? 1\n0 {bad * 512} +\n{bad * 512} 512 -\n"
                           f"{(bad + 1) * 512} {(sectors - bad - 1) * 512} +\n")


def _partitions(t):
    """Main is a disk and the list is of its partition; and the other way round."""
    disk = t.loop(t.image("disk.img", "16MiB"))
    part = partitions.partition(t, disk, 1, 2048, 8192)
    dm = _set(t, disk, 2)
    mapfile = _mapfile(t, "part.map", 8192, 5)
    warned = _import(dm, mapfile, "--dry-run")
    check("warning" in warned.err and f"--partition {part}" in warned.err, f"of its size: {warned}")
    done = _import(dm, mapfile, "--partition", part)
    equal((done.json()["lost_sectors"], done.err), (1, ""), "no doubt")
    member = _write(t, f"md/dev-{os.path.basename(part)}/bad_blocks", "8 1\n")
    check(f"--partition {part}" in _import(dm, member, "--dry-run").err, "md names the member")
    equal(_lost(dm), [2053], "where the partition is")
    _import(dm, _write(t, "outside", "8192 1\n"), "--partition", part, expect=2)
    dm.stop()

    dm = product.Product(t, part, t.path("spare3"))
    log = _write(t, "log", "critical medium error, dev sdy, sector 2055 op 0x0:(READ)\n"
                           "critical medium error, dev sdy, sector 1 op 0x0:(READ)\n")
    options = ["--spare-size", "32MiB", "--known-bad", log, "--known-bad-device", "sdy"]
    error = dm.create(*options, "--json", expect=2).error_json()
    check(f"--partition {part}" in error["hint"], error)
    made = dm.create(*options, "--known-bad-partition", part)
    check("1 sectors of the list are not on main" in made.err, made)
    dm.start("fuse")
    equal(_lost(dm), [7], "seen from the partition")
    whole = _mapfile(t, "disk.map", 32768, 2056)
    check(f"--partition {part}" in _import(dm, whole, "--dry-run").err, "of the disk's size")
    equal(_import(dm, whole, "--partition", part).json()["lost_sectors"], 1, "taken")
    equal(_lost(dm), [7, 8], "seen from the partition")
    dm.stop()


def lists_of_others(t):
    dm = _odd_size(t)
    _other_formats(t, dm)
    _complete(t, dm)
    _offsets(t, dm)
    _rounded(t, dm)
    dm.stop()
    _partitions(t)


support.run_test(lists_of_others, root=True, fuse=True, loop=True,
                 programs=["ddrescuelog", "nbdkit", "qemu-io", "addpart", "delpart"])
