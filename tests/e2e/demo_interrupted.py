#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupted anywhere, by Ctrl-C or by SIGTERM, the demo takes everything down."""

import os
import signal

import demo_lane
import support
from support import equal


def _interrupt_at(t, lines, send):
    """Sends a signal once each of the lines was printed, in this order."""
    process = demo_lane.start(t)
    awaited = list(lines)
    said = ""
    for printed in process.stdout:
        said += printed
        if awaited[0] in printed:
            awaited.pop(0)
        if not awaited:
            send(process.pid)
            break
    # Not communicate(), which would lose what was read ahead.
    said += process.stdout.read()
    equal(process.wait(timeout=300), 130, f"exit status of the demo interrupted at {lines}\n{said}")
    demo_lane.check_nothing_left(t)


def demo_interrupted(t):
    for lines in (["filling a"], ["lane 1", "reading"], ["lane 1", "copying"],
                  ["lane 2", "dmremap start"], ["lane 2", "fio:"]):
        _interrupt_at(t, lines, _control_c)
    _interrupt_at(t, ["lane 2", "copying"], _terminate)


def _control_c(pid):
    """A terminal tells the whole group, the programs that the demo runs included."""
    os.killpg(pid, signal.SIGINT)


def _terminate(pid):
    os.kill(pid, signal.SIGTERM)


support.run_test(demo_interrupted, root=True, fuse=True, loop=True,
                 programs=["fio", "mkfs.ext4", "debugfs"])
