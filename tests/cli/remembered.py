#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Where the devices of a set were is remembered over a boot, so that an image as the spare is found by
name; and a device that is not there is described, with what is in its place."""

import os
import shutil

import product
import support
from support import check, equal


def remembered(t):
    os.environ["DMREMAP_STATE_DIR"] = t.path("state")
    os.environ["DMREMAP_CONFIG_DIR"] = t.path("etc")
    # Of a size that no device of another test has: that would be a candidate.
    main = t.image("main.img", 16 * support.MIB + 24 * support.SECTOR)
    dm = product.Product(t, main, t.path("backup.spare"))
    dm.create("--spare-size", "16MiB")
    shutil.rmtree(t.runtime_dir)  # as a boot does
    dm.start("fuse")
    dm.stop()
    shutil.rmtree(t.runtime_dir)
    dm.status()

    os.rename(dm.spare, t.path("elsewhere"))
    for verb in ("start", "status"):
        done = dm.run(verb, dm.name, "--json", expect=3 if verb == "start" else 1)
        what = done.error_json()["what"]
        check(f"it was last seen at {dm.spare} (32768 sectors), which is not there now" in what,
              f"{verb} says where it was: {what}")
    t.image("backup.spare", "8MiB")
    what = dm.run("start", dm.name, "--json", expect=3).error_json()["what"]
    check("is now a file of 16384 sectors" in what, f"and what is there: {what}")
    os.rename(t.path("elsewhere"), dm.spare)

    os.rename(main, t.path("away"))
    error = dm.run("start", dm.name, "--json", expect=3).error_json()
    equal(error["code"], "missing-device", "main")
    check(f"it was last seen at {main} (32792 sectors" in error["what"] and
          "which is not there now" in error["what"], f"main: {error}")
    os.rename(t.path("away"), main)
    dm.start("fuse")
    dm.stop()


support.run_test(remembered, root=True, fuse=True)
