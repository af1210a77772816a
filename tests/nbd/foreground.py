#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`start --export nbd --foreground` prints where once I/O is served, stays, and ends the set cleanly
when it is told to; killed, it takes nbdkit and the socket with it."""

import os
import signal
import subprocess

import nbd_client
import product
import support
from support import equal


def _start(t, dm):
    process = subprocess.Popen([support.DMREMAP, "start", dm.name, "--export", "nbd",
                                "--foreground"], stdout=subprocess.PIPE, text=True)
    t.cleanup.push(process.kill)
    return process, process.stdout.readline().strip()


def foreground(t):
    dm = product.Product(t, t.image("main.img", "16MiB"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    for number in (signal.SIGTERM, signal.SIGINT):
        process, uri = _start(t, dm)
        with nbd_client.Client(product.socket_of(uri)) as disk:
            equal(disk.size, 16 << 20, "size")
        process.send_signal(number)
        equal(process.wait(timeout=300), 0, f"exit after signal {number}")
        equal(dm.is_running(), False, "running")
    process, uri = _start(t, dm)
    dm.stop()
    equal(process.wait(timeout=300), 0, "exit after stop")

    process, uri = _start(t, dm)
    process.kill()
    process.wait(timeout=300)
    equal(dm.run("list", "--json", expect=4).json()["sets"][0]["state"], "stopped", "state")
    support.wait_until(lambda: not os.path.lexists(product.socket_of(uri)), "the socket is gone")
    process, uri = _start(t, dm)
    with nbd_client.Client(product.socket_of(uri)) as disk:
        equal(disk.size, 16 << 20, "size after a kill")
    dm.stop()
    equal(process.wait(timeout=300), 0, "exit after stop")
    equal(dm.run("start", "nosuch", "--export", "nbd", "--foreground", expect=3).out, "", "stdout")


support.run_test(foreground, programs=["nbdkit"])
