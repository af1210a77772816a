#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nbdkit's own filters stack on the plugin."""

import struct

import nbd_client
import product
import support
from support import MIB, equal, equal_bytes, pattern


def _served(t, filters, *words):
    """The socket of nbdkit with filters on the plugin; the set ends with it."""
    socket, pid = t.path("filtered"), t.path("filtered.pid")
    support.run("nbdkit", "--unix", socket, "--pidfile", pid,
                *[f"--filter={name}" for name in filters], support.NBDKIT_PLUGIN, *words)
    return socket


def _end(dm, socket):
    dm.stop()
    support.run("rm", "-f", socket)


def filters(t):
    main = t.image("main.img", "32MiB")
    with open(main, "r+b") as file:
        file.seek(446)  # the partition table of a PC
        for first, count in ((2048, 8192), (20480, 16384)):
            file.write(struct.pack("<B3sB3sII", 0, bytes(3), 0x83, bytes(3), first, count))
        file.seek(510)
        file.write(b"\x55\xaa")
        file.seek(20480 * 512)
        file.write(pattern(20480, 16384, "second"))
    dm = product.Product(t, main, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    devices = (dm.main, dm.spare)

    socket = _served(t, ["partition"], *devices, "partition=2")
    with nbd_client.Client(socket) as disk:
        equal(disk.size, 16384 * 512, "size of the partition")
        equal_bytes(disk.read(0, 8192), pattern(20480, 16, "second"), "the partition")
        disk.write(4096, pattern(0, 8, "new"), fua=True)
    _end(dm, socket)

    socket = _served(t, ["offset"], *devices, f"offset={20480 * 512}", "range=1M")
    with nbd_client.Client(socket) as disk:
        equal(disk.size, MIB, "range")
        equal_bytes(disk.read(4096, 4096), pattern(0, 8, "new"), "what the partition wrote")
    _end(dm, socket)

    # Copy on write: nothing reaches the set.
    socket = _served(t, ["cow"], dm.name)
    with nbd_client.Client(socket) as disk:
        disk.write(0, b"\xff" * MIB)
        equal(disk.read(MIB - 1, 2), b"\xff\0", "over the copy")
    equal(dm.status()["io"]["writes"], 0, "writes of the set")
    _end(dm, socket)

    socket = _served(t, ["stats", "delay", "blocksize"], dm.name, f"statsfile={t.path('stats')}",
                     "rdelay=1ms", "minblock=4K")
    with nbd_client.Client(socket) as disk:
        equal_bytes(disk.read(20480 * 512 + 4100, 92), pattern(0, 1, "new")[4:96], "odd bytes")
    _end(dm, socket)
    with open(t.path("stats"), encoding="utf-8") as file:
        support.check("read: 1 ops" in file.read(), "what the stats filter counted")


support.run_test(filters, programs=["nbdkit"])
