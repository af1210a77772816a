#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Zeroes and trims: a zero reads as zeros whatever flags it has; one that may make no hole makes
none; a fast one is fast or refused; over a lost sector a plain one heals it and a fast one is
refused; a trim brings back nothing and heals nothing."""

import errno
import os

import nbd_client
import product
import support
from nbd_client import FAST_ZERO, FUA, NO_HOLE
from support import MIB, check, equal, equal_bytes, expect_errno, pattern

LOST = 4096


def _zeros(disk, offset, length):
    equal_bytes(disk.read(offset, length), bytes(length), "zeroed")


def _on_an_image(t):
    main = t.image("main.img", "16MiB", fill="old")
    dm = product.Product(t, main, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("nbd")
    with nbd_client.Client(product.socket_of(dm.device)) as disk:
        check(disk.flags & nbd_client.SEND_FAST_ZERO, "fast zeroes are offered")
        allocated = os.path.getsize(main) // 512
        for number, flags in enumerate((NO_HOLE, NO_HOLE | FUA)):
            disk.zero(number * MIB, MIB, flags)
            _zeros(disk, number * MIB, MIB)
        check(os.stat(main).st_blocks >= allocated, "a zero without a hole made one")
        with expect_errno(errno.EOPNOTSUPP):
            disk.zero(2 * MIB, MIB, FAST_ZERO | NO_HOLE)
        equal_bytes(disk.read(2 * MIB, 4096), pattern(4096, 8, "old"), "after a refusal")
        for number, flags in enumerate((0, FAST_ZERO, FUA), 4):
            disk.zero(number * MIB + 100, MIB - 200, flags)
            _zeros(disk, number * MIB + 100, MIB - 200)
            equal_bytes(disk.read(number * MIB, 100), pattern(number * 2048, 1, "old")[:100],
                        "beside it")
        check(os.stat(main).st_blocks < allocated, "a zero that may make a hole makes one")
        disk.trim(8 * MIB + 1, MIB, fua=True)
        equal_bytes(disk.read(8 * MIB, 512), pattern(8 * 2048, 1, "old"), "of a block in part")
    dm.stop()


def _over_a_lost_sector(t):
    main = t.lab(size="16MiB", fill="old")
    dm = product.Product(t, main.path, t.path("spare2"))
    dm.create("--spare-size", "16MiB")
    dm.start("nbd")
    main.fault("read", str(LOST))
    with nbd_client.Client(product.socket_of(dm.device)) as disk:
        with expect_errno(errno.EIO):
            disk.read(LOST * 512, 512)
        # A lab's disk is a FUSE file: who knows how it zeroes.
        with expect_errno(errno.EOPNOTSUPP):
            disk.zero(0, MIB, FAST_ZERO)
        disk.trim(LOST * 512, 4096)
        with expect_errno(errno.EIO):
            disk.read(LOST * 512, 512)
        disk.zero((LOST - 8) * 512, 16 * 512)
        _zeros(disk, (LOST - 8) * 512, 16 * 512)
    equal(dm.status()["lost_sectors"], 0, "lost sectors")
    dm.stop()


def zeroing(t):
    _on_an_image(t)
    _over_a_lost_sector(t)


support.run_test(zeroing, root=True, fuse=True, programs=["nbdkit"])
