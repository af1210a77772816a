#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 12: main is ours while we serve it, and we notice when it was not."""

import product
import support
from support import check, equal
from untouched import refused


def main_changed(t):
    main = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", main)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "32MiB")
    paths = (main, dm.spare)

    # Nothing remapped: main alone holds everything, and may be used without us.
    dm.start("fuse")
    dm.stop()
    support.run("tune2fs", "-L", "used-directly", main)
    dm.start("fuse")
    dm.run("remap", dm.name, "65536+8")
    dm.stop()

    # From the first remapped sector on it may not.
    support.run("tune2fs", "-L", "again", main)
    error = refused(t, "main-changed", "start", dm.name, paths=paths)
    check("--accept-main-changed" in error["hint"], f"names the option: {error}")
    refused(t, "main-changed", "start", dm.name, "--read-only", paths=paths)
    dm.start("fuse", "--accept-main-changed")
    equal(len(dm.events("start")), 4, "the acceptance is an event too")
    dm.stop()
    dm.start("fuse")
    dm.stop()

    # A file system made anew through us is no change behind our back, even if we die afterwards.
    device = dm.start("fuse")
    support.run("mkfs.ext4", "-q", "-F", device)
    before = dm.status()["sequence"]
    support.wait_until(lambda: dm.status()["sequence"] > before, "the new UUID recorded")
    dm.kill()
    dm.start("fuse")
    dm.stop()

    # One made behind our back is.
    support.run("mkfs.ext4", "-q", "-F", main)
    refused(t, "main-changed", "start", main, dm.spare, paths=paths)


support.run_test(main_changed, fuse=True, programs=("mkfs.ext4", "tune2fs"))
