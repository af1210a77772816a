#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`stop` is refused while somebody is connected, naming who, and everything goes on; else it ends
nbdkit and leaves nothing. A signal to nbdkit is a clean stop too."""

import os
import signal

import nbd_client
import product
import support
from support import check, equal, equal_bytes, pattern
from untouched import refused


def in_use(t):
    dm = product.Product(t, t.image("main.img", "16MiB", fill="old"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("nbd")
    socket = product.socket_of(dm.device)
    equal(socket, os.path.join(t.runtime_dir, f"{dm.name}.nbd"), "the socket")
    with nbd_client.Client(socket) as disk:
        disk.write(0, pattern(0, 8, "new"))
        error = refused(t, "device-in-use", "stop", dm.name)
        check(str(os.getpid()) in error["what"], f"names who: {error}")
        check(error["hint"], f"says what to do: {error}")
        equal_bytes(disk.read(0, 4096), pattern(0, 8, "new"), "still served")
        pid = dm.status()["pid"]
    dm.stop()
    support.wait_until(lambda: not os.path.exists(f"/proc/{pid}"), "nbdkit ended")
    check(not os.path.lexists(socket), "the socket is gone")
    equal(dm.is_running(), False, "running")

    dm.start("nbd")
    os.kill(dm.status()["pid"], signal.SIGTERM)
    support.wait_until(lambda: not dm.is_running(), "ended by a signal")
    check(not os.path.lexists(socket), "the socket is gone after a signal")
    dm.start("fuse" if support.what_is_missing(False, True, False, ()) is None else "nbd")
    equal(dm.events("start")[-1]["text"], "", "the last run ended cleanly")
    dm.stop()


support.run_test(in_use, programs=["nbdkit"])
