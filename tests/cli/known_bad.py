#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Known-bad lists, checked against the tools that make and read them: GNU ddrescue and ddrescuelog,
badblocks and mke2fs."""

import errno
import os

import product
import support
import untouched
from support import check, equal, equal_bytes, pattern

SIZE_SECTORS = 32768  # 16 MiB


def _blocks(mapfile, status):
    listed = support.run("ddrescuelog", f"--list-blocks={status}", "--block-size=512", mapfile)
    return [int(line) for line in listed.out.split()]


def _expect_lost(device, sectors):
    for sector in sectors:
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector)


def _from_ddrescue(t):
    """A rescue finds bad sectors; the set learns of them without asking the disk again."""
    disk = t.lab(size="16MiB", fill="old")
    disk.fault("read", "1000+8")
    disk.fault("read", "20001")
    mapfile = t.path("rescue.map")
    support.run("ddrescue", "--force", "--idirect", "--sector-size=512", disk.path,
                t.path("rescued"), mapfile)
    bad = [*range(1000, 1008), 20001]
    equal(_blocks(mapfile, "-"), bad, "what ddrescue found")
    disk.clear()

    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    sequence = dm.status()["sequence"]
    would = dm.run("bad", "import", dm.name, mapfile, "--dry-run", "--json").json()
    equal((would["lost_sectors"], would["dry_run"]), (9, True), "a dry run counts")
    equal(dm.status()["lost_sectors"], 0, "a dry run changes nothing")
    done = dm.run("bad", "import", dm.name, mapfile, "--json").json()
    equal((done["lost_sectors"], done["suspect_sectors"], done["unchanged_sectors"]), (9, 0, 0))
    equal(int(dm.status()["sequence"]), int(sequence) + 1, "one commit")
    _expect_lost(device, bad)
    equal_bytes(support.read_sectors(device, 999), pattern(999, 1, "old"), "a neighbour")
    equal(dm.run("bad", "import", dm.name, mapfile, "--json").json()["unchanged_sectors"], 9,
          "again")
    support.write_sectors(device, 1002, pattern(1002, 1, "new"))
    _export(t, dm, bad)
    dm.stop()
    stopped = t.path("stopped.map")
    dm.run("bad", "export", dm.name, stopped)
    equal(_blocks(stopped, "-"), bad, "of a stopped set")
    return disk, stopped, bad


def _export(t, dm, bad):
    """What the export says is what ddrescuelog reads, and ddrescue goes on from it."""
    exported = t.path("export.map")
    dm.run("bad", "export", dm.name, exported)
    equal(_blocks(exported, "-"), bad, "lost and remapped")
    shown = support.run("ddrescuelog", "--show-status", exported).out
    check("bad-sector" in shown and "4608" in shown, f"what ddrescuelog shows: {shown}")
    equal(len(_blocks(exported, "?")), SIZE_SECTORS - len(bad), "all else is untried")
    support.run("ddrescue", "--force", "--idirect", "--sector-size=512", "--no-scrape",
                "--cpass=1", dm.main, t.path("goes-on"), exported)
    equal(_blocks(exported, "-"), bad, "ddrescue took the bad sectors over")
    equal(_blocks(exported, "?"), [], "and rescued the rest")
    # That file now holds the progress of a rescue.
    refused = dm.run("bad", "export", dm.name, exported, "--json", expect=3)
    equal(refused.error_json()["code"], "file-exists")
    equal(_blocks(exported, "?"), [], "it is still there")
    dm.run("bad", "export", dm.name, exported, "--force")
    check(_blocks(exported, "?"), "overwritten with --force")


def _doubts(t):
    """What failed only as part of a larger read is suspect, and reads on."""
    disk = t.lab(size="16MiB", fill="old")
    dm = product.Product(t, disk.path, t.path("spare2"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    mapfile = t.path("doubts.map")
    with open(mapfile, "w", encoding="ascii") as file:
        file.write("# Mapfile\n0 ? 1\n0 512 -\n512 1024 /\n1536 512 *\n2048 16775168 ?\n")
    support.run("ddrescuelog", "--show-status", mapfile)
    done = dm.run("bad", "import", dm.name, mapfile, "--json").json()
    equal((done["lost_sectors"], done["suspect_sectors"]), (1, 3), "by status")
    equal(dm.status()["suspect_sectors"], 3, "suspect")
    equal_bytes(support.read_sectors(device, 1, 3), pattern(1, 3, "old"), "suspect sectors read")
    dm.run("bad", "export", dm.name, t.path("doubts-out.map"))
    equal(_blocks(t.path("doubts-out.map"), "*"), [1, 2, 3], "suspect, exported")
    dm.stop()


def _badblocks(t):
    """badblocks finds them, the set takes them over, and mke2fs reads the list it gives back."""
    disk = t.lab(size="16MiB", fill="old")
    disk.fault("read", "1001")
    disk.fault("read", "30000+4")
    dm = product.Product(t, disk.path, t.path("spare3"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    for size in (1024, 4096):
        found = t.path(f"badblocks.{size}")
        support.run("badblocks", "-b", size, "-o", found, disk.path, expect=(0, 1))
        with open(found, encoding="ascii") as file:
            listed = sorted(int(line) for line in file)
        per_block = size // 512
        equal(listed, sorted({1001 // per_block, 30000 // per_block, 30003 // per_block}),
              f"found in blocks of {size}")
        options = [] if size == 1024 else ["--block-size", size]
        dm.run("bad", "import", dm.name, found, *options)
        out = t.path(f"out.{size}")
        dm.run("bad", "export", dm.name, out, "--format", "badblocks", *options)
        with open(out, encoding="ascii") as file:
            equal([int(line) for line in file], listed, f"round trip in blocks of {size}")
    with open(t.path("out.4096"), encoding="ascii") as file:
        listed = [int(line) for line in file]
    # A file system that keeps off them.
    image = t.image("fs.img", "16MiB")
    support.run("mke2fs", "-q", "-F", "-b", 4096, "-l", t.path("out.4096"), image)
    kept = support.run("dumpe2fs", "-b", image).out.split()
    equal([int(block) for block in kept], listed, "mke2fs -l took the list")
    dm.stop()


def _from_the_start(t, disk, exported, bad):
    """An export made the known-bad list of another set: lost from its first commit on."""
    main = t.image("main2.img", "16MiB", fill=2)
    dm = product.Product(t, main, t.path("spare4"))
    for text, where in (("1\nx\n", ":2"), ("0 ?\n0 1 -\n5 5 -\n", ":3"), ("99999\n", "")):
        wrong = t.path("wrong")
        with open(wrong, "w", encoding="ascii") as file:
            file.write(text)
        error = dm.create("--spare-size", "32MiB", "--known-bad", wrong, "--json",
                          expect=2).error_json()
        equal(error["where"], wrong + where, "the line is named")
        check(error["hint"], error)
        check(not os.path.exists(dm.spare), "nothing was made")
    dm.create("--spare-size", "32MiB", "--known-bad", t.path("none"), expect=1).one_line_error()
    made = dm.create("--spare-size", "32MiB", "--known-bad", exported, "--json").json()
    equal((made["lost_sectors"], made["suspect_sectors"]), (len(bad), 0), "create counts them")
    equal(dm.status()["lost_sectors"], len(bad), "before any start")
    equal(dm.examine()["winner"]["writable"], True, "the set is sound")
    device = dm.start("fuse")
    _expect_lost(device, bad)
    support.write_sectors(device, bad[0], pattern(bad[0], 1, "new"))
    dm.stop()
    equal(dm.status()["lost_sectors"], len(bad) - 1, "a write ends it")


def _refused(t):
    main = t.image("main3.img", "16MiB", fill=3)
    dm = product.Product(t, main, t.path("spare5"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    wrong = t.path("garbage")
    for text, exit_code in (("not a list\n", 2), ("7\n-1\n", 2), (f"{SIZE_SECTORS}\n", 2),
                            ("\n".join(str(2 * n) for n in range(16000)), 1)):
        with open(wrong, "w", encoding="ascii") as file:
            file.write(text)
        size = ["--block-size", "512"]
        error = dm.run("bad", "import", dm.name, wrong, *size, "--json", expect=exit_code)
        check(error.error_json()["hint"] or exit_code == 1, error)
        equal(dm.status()["lost_sectors"], 0, "nothing changed")
    dm.run("bad", "import", dm.name, t.path("nowhere"), expect=1).one_line_error()
    dm.run("bad", "export", dm.name, t.dir, expect=2).one_line_error()
    dm.stop()
    dm.run("bad", "import", dm.name, wrong, expect=1).one_line_error()
    for args in ([], ["import"], ["import", "x"], ["import", "x", wrong, "--format", "csv"],
                 ["export", "x", wrong, "--block-size", "1000"], ["delete", "x", wrong]):
        untouched.refused(t, "usage", "bad", *args, exit=2, paths=(main, dm.spare))


def known_bad(t):
    disk, exported, bad = _from_ddrescue(t)
    _from_the_start(t, disk, exported, bad)
    _doubts(t)
    _badblocks(t)
    _refused(t)


support.run_test(known_bad, root=True, fuse=True,
                 programs=["ddrescue", "ddrescuelog", "badblocks", "mke2fs", "dumpe2fs"])
