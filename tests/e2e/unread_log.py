#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 11: a set whose log nobody reads (the journal may lie on the set, and wait for it) goes on, and
ends when it is told to. What there was no room for is counted."""

import fcntl
import os
import signal
import subprocess

import product
import support
from support import check, equal


def full_pipe():
    """A pipe that takes nothing more until somebody reads."""
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(writer, False)
    filled = 0
    try:
        while True:
            filled += os.write(writer, b"." * 4096)
    except BlockingIOError:
        os.set_blocking(writer, True)
    return reader, writer, filled


def pending(pid, number):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        masks = [int(line.split()[1], 16) for line in file if line.startswith(("SigPnd", "ShdPnd"))]
    return any(mask >> (number - 1) & 1 for mask in masks)


def unread_log(t):
    dm = product.Product(t, t.image("main.img", "64MiB"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    reader, writer, filled = full_pipe()
    daemon = subprocess.Popen([support.DMREMAP, "start", dm.name, "--foreground", "--export", "block"],
                              stdout=subprocess.PIPE, stderr=writer, text=True)
    os.close(writer)
    t.cleanup.push(daemon.kill)
    device = daemon.stdout.readline().strip()
    check(device.startswith("/dev/"), f"served: {device!r}")

    support.write_sectors(device, 2048, support.pattern(2048, 8))
    dm.run("remap", dm.name, "2048+8")
    equal(dm.status()["remapped_sectors"], 8, "it does its work")
    # Refused while somebody has the device open, and logged.
    user = os.open(device, os.O_RDONLY)
    daemon.send_signal(signal.SIGTERM)
    support.wait_until(lambda: not pending(daemon.pid, signal.SIGTERM), "the signal taken")
    equal(dm.status()["remapped_sectors"], 8, "it serves on")
    os.close(user)
    dm.stop()
    equal(daemon.wait(timeout=300), 0, "it ends, though nobody took its log")

    # Nothing else was written to the pipe meanwhile: the log hangs where it hung.
    os.set_blocking(reader, False)
    said = os.read(reader, 65536)
    check(said.startswith(b"." * filled), "the log went past a full pipe")
    os.close(reader)


support.run_test(unread_log, root=True, fuse=True, loop=True)
