#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo's checks can fail: with an engine that acknowledges remapped writes without writing
them, its exit status turns."""

import os

import demo_lane
import product
import support
from support import check, equal

DEMO_SPARE = "64MiB"


def _broken_engine(t):
    """A program that behaves as dmremap, but for what it forgets."""
    model = product.Product(t, t.image("model.img", "64MiB"), t.path("model-spare"))
    model.create("--spare-size", DEMO_SPARE)
    ranges = ",".join(f"{first}+{count}" for first, count in model.spare_data_areas())
    path = t.path("dmremap-broken")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"#!/bin/sh\nexport LD_PRELOAD='{os.environ['DROP_SPARE_DATA']}'\n"
                   f"export DROP_FILE_SUFFIX=/spare DROP_RANGES={ranges}\n"
                   f"exec '{support.DMREMAP}' \"$@\"\n")
    os.chmod(path, 0o755)
    return path


def demo_can_fail(t):
    process = demo_lane.start(t, DMREMAP=_broken_engine(t))
    out, _ = process.communicate()
    print(out)
    equal(process.returncode, 1, "exit status of the demo")
    check("FAILED  every block that fio wrote reads back" in out
          or "FAILED  no file holds wrong bytes" in out, "the demo saw what was forgotten")
    demo_lane.check_nothing_left(t)


support.run_test(demo_can_fail, root=True, fuse=True, loop=True,
                 programs=["fio", "mkfs.ext4", "debugfs"])
