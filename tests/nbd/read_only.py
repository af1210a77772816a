#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Read-only by NBD: nothing is written anywhere, and clients are told so."""

import errno

import nbd_client
import product
import support
from support import check, equal, equal_bytes, expect_errno, pattern
from untouched import digest


def read_only(t):
    dm = product.Product(t, t.image("main.img", "16MiB", fill="old"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    before = digest(dm.main), digest(dm.spare)
    dm.start("nbd", "--read-only")
    with nbd_client.Client(product.socket_of(dm.device)) as disk:
        check(disk.flags & nbd_client.READ_ONLY, "the read-only flag")
        equal_bytes(disk.read(4096, 4096), pattern(8, 8, "old"), "what is read")
        with expect_errno(errno.EPERM):
            disk.write(0, bytes(512))
        with expect_errno(errno.EPERM):
            disk.trim(0, 4096)
        disk.flush()
    dm.stop()
    equal((digest(dm.main), digest(dm.spare)), before, "SHA-256 of main and spare")

    socket = t.path("by-hand")
    support.run("nbdkit", "--unix", socket, support.NBDKIT_PLUGIN, dm.main, dm.spare,
                "read-only=true")
    with nbd_client.Client(socket) as disk:
        check(disk.flags & nbd_client.READ_ONLY, "the read-only flag, by hand")
    dm.stop()
    equal((digest(dm.main), digest(dm.spare)), before, "SHA-256 of main and spare")


support.run_test(read_only, programs=["nbdkit"])
