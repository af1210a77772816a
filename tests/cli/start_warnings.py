#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What `start` says of devices that will not do what is expected of them: a sparse spare image with
too little room below it, and a device that the kernel set read-only."""

import os

import product
import support
from support import MIB, check, equal


def sparse_spare(t):
    image = t.image("small.img", "48MiB")
    support.run("mkfs.ext4", "-q", "-F", "-m", "0", image)
    small = t.mount(t.loop(image), "small")
    spare = os.path.join(small, "sparse")
    with open(spare, "wb") as file:
        file.truncate(32 * MIB)
    dm = product.Product(t, t.image("main.img", "16MiB"), spare)
    dm.create()
    equal(dm.run("start", dm.name, "--export", "fuse").err, "", "said while there is room")
    dm.stop()
    support.run("fallocate", "--length", str(24 * MIB), os.path.join(small, "filler"))
    said = dm.run("start", dm.name, "--export", "fuse").err.splitlines()
    check(len(said) == 1 and said[0].startswith(f"dmremap: warning: {spare}: the spare is a sparse "),
          f"one warning: {said}")
    dm.stop()
    started = dm.run("start", dm.name, "--export", "fuse", "--json").json()
    equal(len(started["warnings"]), 1, "warnings with --json")
    dm.stop()
    # What is recommended ends it.
    os.unlink(os.path.join(small, "filler"))
    support.run("fallocate", "--length", str(32 * MIB), spare)
    support.run("fallocate", "--length", str(4 * MIB), os.path.join(small, "filler"))
    equal(dm.run("start", dm.name, "--export", "fuse").err, "", "said when all is allocated")
    dm.stop()


def allocated_spare(t):
    dm = product.Product(t, t.image("other.img", "16MiB"), t.path("allocated"))
    dm.create("--spare-size", "24MiB")
    check(os.stat(dm.spare).st_blocks * 512 >= 24 * MIB, "all of the new spare has its room")


def read_only_device(t):
    main = t.loop(t.image("locked.img", "16MiB", fill="old"))
    dm = product.Product(t, main, t.path("locked.spare"))
    dm.create("--spare-size", "16MiB")
    support.run("blockdev", "--setro", main)
    refused = dm.run("start", dm.name, "--export", "fuse", expect=(1, 3)).one_line_error()
    check(all(word in refused for word in (main, "is set read-only", f"blockdev --setrw {main}",
                                           "--read-only")), f"the way round: {refused}")
    device = dm.start("fuse", "--read-only")
    support.equal_bytes(support.read_sectors(device, 64, 8), support.pattern(64, 8, "old"), "served")
    dm.stop()
    support.run("blockdev", "--setrw", main)
    dm.start("fuse")
    dm.stop()


def start_warnings(t):
    for situation in (sparse_spare, allocated_spare, read_only_device):
        situation(t)


support.run_test(start_warnings, root=True, fuse=True, loop=True,
                 programs=("mkfs.ext4", "fallocate", "blockdev"))
