#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults of the disk through NBD: what is lost is EIO, exactly there and before and after a restart,
whole requests fail and none is short; writes to bad sectors are served; a write heals."""

import errno

import nbd_client
import product
import support
from support import equal, equal_bytes, expect_errno, pattern

LOST, BAD = 5000, 9001


def _client(dm):
    return nbd_client.Client(product.socket_of(dm.device))


def _expect_lost(disk):
    for length in (512, 4096):
        with expect_errno(errno.EIO):
            disk.read(LOST * 512, length)
    with expect_errno(errno.EIO):
        disk.read(LOST * 512 - (1 << 20), 4 << 20)
    for sector in (LOST - 1, LOST + 1):
        equal_bytes(disk.read(sector * 512, 512), pattern(sector, 1, "old"), f"neighbour {sector}")


def lost_and_gone(t):
    main = t.lab(size="64MiB", fill="old")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("nbd")
    main.fault("read", str(LOST))
    main.fault("write+read", f"{BAD}+8")
    fresh = pattern(BAD - 100, 400, "new")
    with _client(dm) as disk:
        with expect_errno(errno.EIO):
            disk.read(LOST * 512, 512)
        disk.write((BAD - 100) * 512, fresh)
        equal_bytes(disk.read((BAD - 100) * 512, len(fresh)), fresh, "over bad sectors")
        _expect_lost(disk)
    status = dm.status()
    equal((status["remapped_sectors"], status["lost_sectors"]), (8, 1), "remapped and lost")
    dm.stop()
    main.clear()
    for end in (dm.stop, dm.kill, dm.stop):
        dm.start("nbd", by_devices=True)
        with _client(dm) as disk:
            _expect_lost(disk)
            equal_bytes(disk.read((BAD - 100) * 512, len(fresh)), fresh, "after a restart")
        end()
    dm.start("nbd")
    with _client(dm) as disk:
        disk.write(LOST * 512, pattern(LOST, 1, "healed"))
        equal_bytes(disk.read(LOST * 512, 512), pattern(LOST, 1, "healed"), "written")
    equal(dm.status()["lost_sectors"], 0, "lost sectors")
    dm.stop()


support.run_test(lost_and_gone, root=True, fuse=True, programs=["nbdkit"])
