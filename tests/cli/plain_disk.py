#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A bad sector where a spare would have its metadata does not make a set of a plain disk: `discover`
says nothing of it, `start` says that the spare is missing, and the device that a set serves is no
spare either. A disk of which nothing can be read there is another matter (promise 7)."""

import product
import support
from support import check, equal
from untouched import refused

# Sectors of the copies of a spare of 64 MiB: all near ones, and the last far one.
COPIES = [0, 1024, 2048, 4096, 8192, 129024]


def _one_bad_sector(t):
    disk = t.lab(size="64MiB", fill="plain")
    for sector in COPIES + [512]:
        disk.clear()
        disk.fault("read", str(sector))
        found = support.dmremap("discover", disk.path, "--json").json()
        equal((found["sets"], found["others"]), ([], []), f"discover, sector {sector}")
        refused(t, "missing-device", "start", disk.path, paths=())
    # As a spare it is refused all the same, for what it is: not by a claim about metadata.
    main = t.image("main.img", "32MiB", fill=1)
    error = refused(t, "spare-unreadable", "create", "new", main, disk.path, paths=(main,))
    check("damaged" not in error["what"] and "device" in error["hint"], error)
    disk.clear()
    for sector in COPIES:
        disk.fault("read", str(sector))
    found = support.dmremap("discover", disk.path, "--json").json()
    equal(found["others"], [], "bad sectors between contents of others")
    return disk


def _own_device(t, disk):
    """The lost sectors of a set make its device no spare."""
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    found = support.dmremap("discover", device, "--json").json()
    equal((found["sets"], found["others"]), ([], []), "the device of a set")
    dm.stop()


def _nothing_reads(t):
    """A blank disk whose copies cannot be read could be a spare: it takes --force to overwrite."""
    main = t.path("main.img")
    disk = t.lab(size="64MiB")
    for sector in COPIES[:3]:
        disk.fault("read", str(sector))
    error = refused(t, "metadata-doubtful", "start", disk.path, paths=())
    check("cannot be read" in error["what"] and "damaged" not in error["what"], error)
    # From sector 1024 on: a search for file systems still finds that there is none.
    disk.clear()
    disk.fault("read", "1024+8192")
    refused(t, "spare-unreadable", "create", "new", main, disk.path, paths=(main, disk.image))


def plain_disk(t):
    disk = _one_bad_sector(t)
    _own_device(t, disk)
    _nothing_reads(t)


support.run_test(plain_disk, fuse=True)
