#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`check` with main: another disk, a disk that was written to behind the set's back, a spare that
shrank, and a second copy of the spare are named."""

import os
import shutil

import product
import support
from support import check


def problems(*devices):
    return " ".join(p["what"] for p in support.dmremap("check", *devices, "--json",
                                                       expect=4).json()["problems"])


def wrong_devices_checked(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse", by_devices=True)
    dm.run("remap", dm.name, "2048+64")
    dm.stop()
    support.dmremap("check", dm.spare, main)

    other = t.image("other.img", "24MiB")
    check("not the main device" in problems(dm.spare, other), "another disk")
    with open(main, "r+b") as file:
        file.write(b"written behind its back")
    check("written to since" in problems(dm.spare, main), "a main that was written to")
    twin = t.path("twin.img")
    shutil.copy(dm.spare, twin)
    check("holds this set too" in problems(dm.spare, twin), "two spares of one set")
    os.truncate(dm.spare, 16 * support.MIB - 4096)
    support.dmremap("check", dm.spare, expect=(1, 4))


support.run_test(wrong_devices_checked, fuse=True)
