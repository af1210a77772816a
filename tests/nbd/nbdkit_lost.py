#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the set's process and its nbdkit do without one another: clients that come while there is no
nbdkit wait for the next one; an nbdkit that hangs keeps no set from stopping; an nbdkit whose set was
killed ends, and so the set can be started again at once."""

import contextlib
import os
import signal
import time

import nbd_client
import product
import support
from support import check, equal, equal_bytes, pattern


def nbdkit_lost(t):
    dm = product.Product(t, t.image("main.img", "16MiB", fill="old"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("nbd")
    socket = product.socket_of(dm.device)
    pid = dm.status()["pid"]

    first = product.nbdkit_of(pid)
    os.kill(first, signal.SIGKILL)
    with nbd_client.Client(socket) as disk:
        disk.write(0, pattern(0, 8, "new"))
    equal(dm.status()["pid"], pid, "the process of the set")
    check(product.nbdkit_of(pid) != first, "another nbdkit")
    with open(os.path.join(t.runtime_dir, f"{dm.name}.log"), encoding="utf-8") as log:
        check("nbdkit was killed by signal 9" in log.read(), "the log tells of it")

    # It takes longer each time, and never ends.
    for _ in range(3):
        victim = product.nbdkit_of(pid)
        os.kill(victim, signal.SIGKILL)
        begun = time.monotonic()
        support.wait_until(lambda: product.nbdkit_of(pid) not in (None, victim), "nbdkit again")
        waited = time.monotonic() - begun
    check(waited > 0.4, f"waits before it starts the next: {waited}")

    # Promise 13: nobody is left in the dark while there is none.
    def told():
        victim = product.nbdkit_of(pid)
        if victim is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(victim, signal.SIGKILL)
        report = dm.status()
        return report if "nbdkit was killed" in report["reason"] else None

    equal(support.wait_until(told, "status says it", every=0.2)["state"], "degraded", "the state")
    support.wait_until(lambda: dm.status()["state"] == "healthy", "it is over")

    # One that hangs.
    os.kill(product.nbdkit_of(pid), signal.SIGSTOP)
    begun = time.monotonic()
    dm.stop()
    check(time.monotonic() - begun < 60, "a stop does not wait for ever")
    support.wait_until(lambda: not product.is_alive(pid), "the process ended")
    check(not os.path.lexists(socket), "the socket is gone")

    # A set that is killed while a client does nothing.
    dm.start("nbd")
    pid = dm.status()["pid"]
    nbdkit = product.nbdkit_of(pid)
    idle = nbd_client.Client(socket)
    idle.write(4096, pattern(8, 8, "new"), fua=True)
    os.kill(pid, signal.SIGKILL)
    dm.start("nbd")
    support.wait_until(lambda: not product.is_alive(nbdkit), "the nbdkit of the killed one ended")
    check(os.path.exists(socket), "the new socket stays")
    idle.close()
    with nbd_client.Client(socket) as disk:
        equal_bytes(disk.read(0, 8192), pattern(0, 16, "new"), "what was acknowledged")

    # A signal disconnects clients, and loses nothing that they were told is written.
    left = nbd_client.Client(socket)
    left.write(8192, pattern(16, 8, "new"))
    os.kill(dm.status()["pid"], signal.SIGTERM)
    support.wait_until(lambda: not dm.is_running(), "ended by a signal")
    left.close()
    dm.start("nbd")
    equal(dm.events("start")[-1]["text"], "", "the last run ended cleanly")
    with nbd_client.Client(socket) as disk:
        equal_bytes(disk.read(0, 12288), pattern(0, 24, "new"), "what was acknowledged")
    dm.stop()

    # By hand it has nothing to relay to.
    done = support.run("nbdkit", "-U", "-", product.NBDKIT_RELAY_PLUGIN, expect=1)
    check("not for use by hand" in done.err, f"says so: {done}")


support.run_test(nbdkit_lost, programs=["nbdkit"])
