#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Assembly takes the right devices or none: another main is refused, whatever its path, and neither
device is written."""

import hashlib
import os
import shutil

import product
import support
from support import check, equal


def _file_system(t, name, size):
    image = t.image(name, size)
    support.run("mkfs.ext4", "-q", "-F", image)
    return image


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _refused(t, dm, main, why):
    before = _digest(main), _digest(dm.spare)
    done = support.dmremap("start", main, dm.spare, expect=3)
    check(done.one_line_error(), why)
    equal(done.out, "", f"{why}: nothing on stdout")
    equal((_digest(main), _digest(dm.spare)), before, f"{why}: both devices untouched")
    check(not dm.is_running(), f"{why}: nothing runs")


def wrong_main(t):
    main = _file_system(t, "main.img", "64MiB")
    dm = product.Product(t, main, t.path("spare"))
    dm.create("--spare-size", "32MiB")

    _refused(t, dm, _file_system(t, "other.img", "64MiB"), "same size, another file system")
    _refused(t, dm, _file_system(t, "larger.img", "65MiB"), "another size")
    _refused(t, dm, t.image("blank.img", "64MiB"), "same size, no file system")

    # The set's own main under another path is the right one: a path is never identity.
    moved = t.path("moved.img")
    os.rename(main, moved)
    shutil.copy(t.path("other.img"), main)
    _refused(t, dm, main, "another disk at the old path")
    dm.main = moved
    dm.start("fuse", by_devices=True)
    dm.stop()

    for size, why in (("63MiB", "main that shrank"), ("66MiB", "main that grew")):
        os.truncate(moved, support.parse_size(size))
        _refused(t, dm, moved, why)


support.run_test(wrong_main, root=True, fuse=True)
