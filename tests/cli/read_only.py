#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""--read-only serves what is there and writes nothing, anywhere."""

import errno
import os

import product
import support
from support import check, equal
from untouched import digest, refused


def read_only(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    dm.run("remap", dm.name, "100+8")
    dm.stop()
    before = digest(main), digest(dm.spare)

    where = dm.start("fuse", "--read-only")
    with open(where, "rb") as file:
        equal(file.read(), support.pattern(0, 32768, seed=1), "all of it reads")
    with support.expect_errno(errno.EROFS):
        os.open(where, os.O_RDWR)
    refused(t, "read-only", "remap", dm.name, "200", exit=1)
    status = dm.run("status", dm.name, "--json", expect=4).json()
    equal(status["state"], "read-only", "state")
    equal(status["remapped_sectors"], 8, "remapped")
    check("read-only" in status["conditions"], f"conditions: {status}")
    dm.stop()
    equal((digest(main), digest(dm.spare)), before, "SHA-256 of main and spare")


support.run_test(read_only, fuse=True)
