#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a guest asks of the host is what QEMU does: a drive is held back and answered again, and a guest
that is not asleep is not woken. Without a kernel, in a second."""

import subprocess
import sys
import time

import machine
import results
import support
from support import equal


def _bytes_a_second(path, drive):
    with machine.asking(path) as ask:
        return next(block["inserted"]["bps"] for block in ask("query-block") if block["device"] == drive)


def drives_are_held_back(t):
    path = t.path("qmp")
    with subprocess.Popen(["setpriv", "--pdeathsig", "KILL", machine.QEMU, "-M", "q35", "-S", "-nodefaults",
                           "-nographic", "-drive", "if=none,id=main,file=null-co://,format=raw",
                           "-device", "virtio-blk-pci,drive=main",
                           "-qmp", f"unix:{path},server=on,wait=off"]) as qemu:
        try:
            port = machine.connect(qemu, path, time.monotonic() + 120)
            support.check(port is not None, "QEMU does not start")
            port.close()
            equal(_bytes_a_second(path, "main"), 0, "at first")
            machine.hold_back(path, "main", True)
            equal(_bytes_a_second(path, "main"), 1, "held back")
            machine.hold_back(path, "main", False)
            equal(_bytes_a_second(path, "main"), 0, "answered")
            equal(machine.wake(path), False, "one that is awake is woken")
        finally:
            qemu.kill()


why = results.what_is_missing()
if why is not None:
    sys.exit(results.report_skipped("drives_are_held_back", why))
support.run_test(drives_are_held_back)
