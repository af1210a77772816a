#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`start` takes the right devices or none, and says which it wants."""

import os
import shutil

import product
import support
from support import check
from untouched import refused


# No device of this machine has it: nothing may be thought to be main while it is away.
MAIN_SIZE = 16 * support.MIB + 19 * support.SECTOR


def start_refusals(t):
    main = t.image("main.img", MAIN_SIZE, fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    spare, paths = dm.spare, (main, dm.spare)

    refused(t, "missing-device", "start", "nosuchset")
    refused(t, "no-such-device", "start", main, t.path("none"), exit=1, paths=paths)
    refused(t, "missing-device", "start", main, paths=paths)
    refused(t, "not-supported", "start", dm.name, "--export", "dm", exit=1, paths=paths)
    refused(t, "no-such-device", "start", dm.name, "--export", "fuse", "--mount",
            t.path("no", "such", "file"), exit=1, paths=(main,))

    # A main that shrank or grew, by name and by device.
    for size in ("15MiB", "17MiB"):
        os.truncate(main, support.parse_size(size))
        refused(t, "main-resized", "start", dm.name, paths=paths)
        refused(t, "main-resized", "start", main, spare, paths=paths)
    t.image("main.img", MAIN_SIZE, fill=1)

    # Main is gone: the spare alone says what is missing.
    os.rename(main, t.path("away"))
    refused(t, "missing-device", "start", dm.name, paths=(spare,))
    refused(t, "missing-device", "start", spare, paths=(spare,))
    os.rename(t.path("away"), main)

    # A spare that shrank.
    with open(spare, "rb") as file:
        whole = file.read()
    os.truncate(spare, support.parse_size("12MiB"))
    done = support.dmremap("start", main, spare, expect=3)
    done.one_line_error()
    with open(spare, "wb") as file:
        file.write(whole)

    # Two copies of one spare, and two sets.
    shutil.copy(spare, t.path("copy.img"))
    refused(t, "ambiguous", "start", spare, t.path("copy.img"), paths=paths)
    support.dmremap("create", "other", main, t.path("other.img"), "--spare-size", "16MiB",
                    "--discard-data", dm.examine()["set"]["uuid"])
    refused(t, "ambiguous", "start", spare, t.path("other.img"), paths=paths)

    # It runs: neither the name nor the devices are free.
    dm.start("fuse")
    pid = dm.status()["pid"]
    error = refused(t, "name-in-use", "start", dm.name)
    check(str(pid) in error["what"], f"names the process: {error}")
    refused(t, "name-in-use", "start", spare, main)
    refused(t, "name-in-use", "create", dm.name, main, t.image("fresh.img", "16MiB"))
    refused(t, "device-in-use", "create", "third", main, t.path("fresh.img"))
    refused(t, "device-in-use", "start", main, t.path("other.img"), paths=(t.path("other.img"),))
    dm.stop()
    left = [n for n in os.listdir(t.runtime_dir) if n.endswith((".sock", ".pid", ".dev"))]
    check(not left, f"left behind: {left}")


support.run_test(start_refusals, fuse=True)
