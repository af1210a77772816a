#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""One set by NBD, as a file and as a block device at once: they are one disk, `start` says where in the
order asked, and a stop is refused as long as one of them is in use, and leaves all of them as they
were."""

import os

import nbd_client
import product
import support
from support import check, equal, equal_bytes, pattern
from untouched import refused


def beside_others(t):
    dm = product.Product(t, t.image("main.img", "16MiB", fill="old"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    started = dm.run("start", dm.name, "--export", "block", "--export", "nbd", "--export", "fuse")
    node, uri, path = started.out.splitlines()
    dm.device = node
    socket = product.socket_of(uri)
    check(node.startswith("/dev/loop") and socket and os.path.isfile(path), f"where: {started}")
    equal([(e["kind"], e["where"]) for e in dm.status()["exports"]],
          [("block", node), ("nbd", uri), ("fuse", path)], "exports")

    with nbd_client.Client(socket) as disk:
        disk.write(4096, pattern(8, 8, "by nbd"), fua=True)
        equal_bytes(support.read_sectors(node, 8, 8), pattern(8, 8, "by nbd"), "on the device")
        support.write_sectors(node, 16, pattern(16, 8, "by block"))
        support.flush(node)
        equal_bytes(disk.read(8192, 4096), pattern(16, 8, "by block"), "by NBD")
        error = refused(t, "device-in-use", "stop", dm.name)
        check(str(os.getpid()) in error["what"], f"names who: {error}")

    holder = os.open(node, os.O_RDONLY)
    support.wait_until(lambda: not _has_clients(dm), "the client is gone")
    error = refused(t, "device-in-use", "stop", dm.name)
    check(str(os.getpid()) in error["what"], f"names who: {error}")
    with nbd_client.Client(socket) as disk:
        equal_bytes(disk.read(4096, 4096), pattern(8, 8, "by nbd"), "NBD goes on")
    os.close(holder)
    dm.stop()
    check(not os.path.lexists(socket) and not os.path.exists(path), "nothing is left")
    # A place for each.
    started = dm.run("start", dm.name, "--export", "nbd", "--socket", t.path("s"), "--export", "fuse",
                     "--mount", t.path("m"))
    equal(started.out.splitlines(), [f"nbd+unix:///?socket={t.path('s')}", t.path("m")], "where")
    dm.stop()


def _has_clients(dm):
    done = dm.run("stop", dm.name, expect=None)
    return "connected to by" in done.err


support.run_test(beside_others, root=True, fuse=True, loop=True, programs=["nbdkit"])
