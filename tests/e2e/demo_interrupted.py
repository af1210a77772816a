#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupted anywhere, by Ctrl-C or by SIGTERM, the demo takes everything down."""

import signal

import demo_lane
import support
from support import equal


def _interrupt_at(t, lines, number):
    """Sends the signal once each of the lines was printed, in this order."""
    process = demo_lane.start(t)
    awaited = list(lines)
    for printed in process.stdout:
        if awaited[0] in printed:
            awaited.pop(0)
        if not awaited:
            process.send_signal(number)
            break
    out, _ = process.communicate(timeout=60)
    equal(process.returncode, 130, f"exit status of the demo interrupted at {lines}\n{out}")
    demo_lane.check_nothing_left(t)


def demo_interrupted(t):
    _interrupt_at(t, ["filling a"], signal.SIGTERM)
    _interrupt_at(t, ["lane 1", "reading"], signal.SIGINT)
    _interrupt_at(t, ["lane 2", "fio:"], signal.SIGINT)


support.run_test(demo_interrupted, root=True, fuse=True, loop=True,
                 programs=["fio", "mkfs.ext4", "debugfs"])
