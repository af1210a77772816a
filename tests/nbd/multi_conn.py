#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several connections are one disk: what one wrote another reads at once, and a flush or a FUA write
by any of them reaches the devices."""

import nbd_client
import product
import support
from support import check, equal, equal_bytes, pattern


def multi_conn(t):
    dm = product.Product(t, t.image("main.img", "32MiB"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("nbd")
    socket = product.socket_of(dm.device)
    disks = [nbd_client.Client(socket) for _ in range(4)]
    check(all(disk.flags & nbd_client.MULTI_CONN for disk in disks), "multi-conn is offered")
    for number, disk in enumerate(disks):
        data = pattern(number * 64, 64, "new")
        disk.write(number * 32768, data)
        for other in disks:
            equal_bytes(other.read(number * 32768, len(data)), data, "by another connection")
    flushes = dm.status()["io"]["flushes"]
    disks[0].flush()
    disks[1].write(0, pattern(0, 8, "fua"), fua=True)
    status = dm.status()
    check(status["io"]["flushes"] > flushes, f"a flush reached the set: {status}")
    # Who wrote is gone without a word; what was written is not.
    disks[2].socket.close()
    disks[3].flush()
    equal_bytes(disks[3].read(2 * 32768, 32768), pattern(128, 64, "new"), "of who is gone")
    for disk in disks:
        disk.close()
    dm.stop()
    equal(dm.is_running(), False, "running")


support.run_test(multi_conn, programs=["nbdkit"])
