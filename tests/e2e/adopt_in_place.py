#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Main is adopted with what it holds: until the user writes, not one byte of it changes."""

import hashlib
import os

import product
import support
from support import check, equal, equal_bytes


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def adopt_in_place(t):
    image = t.image("main.img", "64MiB", fill="before")
    before = _digest(image)
    dm = product.Product(t, image, t.path("spare"))

    dm.create("--spare-size", "32MiB")
    equal(_digest(image), before, "main after create")

    device = dm.start("block")
    for sector, count in ((0, 64), (2048, 1), (131064, 8)):
        equal_bytes(support.read_sectors(device, sector, count),
                    support.pattern(sector, count, "before"), f"sector {sector}")
    equal(int(support.run("blockdev", "--getsize64", device).out), os.path.getsize(image),
          "size of the device")
    dm.stop()
    equal(_digest(image), before, "main after create, start, reading and stop")

    device = dm.start("fuse", by_devices=True)
    support.write_sectors(device, 100, support.pattern(100, 8, "after"))
    dm.stop()
    with open(image, "rb") as file:
        data = file.read()
    equal_bytes(data[100 * 512:108 * 512], support.pattern(100, 8, "after"), "what was written")
    untouched = hashlib.sha256(data[:100 * 512] + support.pattern(100, 8, "before")
                               + data[108 * 512:]).hexdigest()
    equal(untouched, before, "main around what was written")
    check(dm.examine()["winner"]["writable"], "the set is sound")


support.run_test(adopt_in_place, root=True, fuse=True, loop=True)
