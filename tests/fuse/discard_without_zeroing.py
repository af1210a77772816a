#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Main is a disk that cannot zero a range by itself. A discard of the virtual device, as mkfs does it
first of all, must not become zeros written over all of main: it does nothing, and zeros that somebody
asks for are zeros all the same (docs/decisions/002)."""

import os

import product
import support
from ram_disk import RamDisk
from support import check, equal_bytes, pattern


def written_bytes(node):
    with open(f"/sys/block/{os.path.basename(node)}/stat", encoding="ascii") as stat:
        return int(stat.read().split()[6]) * support.SECTOR


def zeroing_limit(node):
    path = f"/sys/block/{os.path.basename(node)}/queue/write_zeroes_max_bytes"
    with open(path, encoding="ascii") as file:
        return int(file.read())


def discard_without_zeroing(t):
    disk = RamDisk(t, size="64MiB", name="ram")
    disk.must("no-zeroing")
    # The kernel believes that a loop device can zero until it has tried.
    support.run("blkdiscard", "--zeroout", "--length", "4096", disk.node)
    support.run("blkdiscard", "--length", "4096", disk.node, expect=None)
    if zeroing_limit(disk.node) != 0:
        print("SKIPPED: this kernel never stops to believe that the disk can zero", flush=True)
        raise SystemExit(support.SKIPPED)
    support.write_sectors(disk.node, 0, pattern(0, 2048, "kept"))

    dm = product.Product(t, disk.node, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("block")
    before = written_bytes(disk.node)
    support.run("blkdiscard", "--force", device, expect=None)
    check(written_bytes(disk.node) - before < support.MIB,
          f"a discard wrote {written_bytes(disk.node) - before} bytes")
    equal_bytes(support.read_sectors(device, 0, 2048), pattern(0, 2048, "kept"), "after a discard")
    support.run("blkdiscard", "--force", "--zeroout", "--length", "65536", device)
    equal_bytes(support.read_sectors(device, 0, 128), bytes(65536), "what was zeroed")
    equal_bytes(support.read_sectors(device, 128, 8), pattern(128, 8, "kept"), "what lies behind")
    dm.stop()


support.run_test(discard_without_zeroing, root=True, fuse=True, loop=True, programs=["blkdiscard"])
