#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A service manager is told that the set is ready when, and only when, I/O is served."""

import os
import signal
import socket
import subprocess

import product
import support
from support import check, equal, equal_bytes, pattern


def readiness(t):
    dm = product.Product(t, t.image("main.img", "32MiB", fill="old"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(t.path("notify"))
        notify.settimeout(300)
        daemon = subprocess.Popen(
            [support.DMREMAP, "start", dm.main, dm.spare, "--export", "fuse", "--foreground"],
            env={**os.environ, "NOTIFY_SOCKET": t.path("notify")}, stdout=subprocess.PIPE,
            text=True)
        t.cleanup.push(daemon.kill)
        told = ""
        while "READY=1" not in told.split("\n"):
            told += notify.recv(4096).decode() + "\n"
        device = daemon.stdout.readline().strip()
        equal_bytes(support.read_sectors(device, 7), pattern(7, 1, "old"), "served once ready")
        equal(dm.status()["pid"], daemon.pid, "the process in the foreground is the set")

        # What a service manager sends to end it is a clean stop.
        daemon.send_signal(signal.SIGTERM)
        equal(daemon.wait(timeout=300), 0, "exit status after SIGTERM")
        check(not os.path.exists(device) or not support.is_mounted(device), "unmounted")
    check(not dm.is_running(), "it has ended")
    dm.start("fuse")


support.run_test(readiness, root=True, fuse=True)
