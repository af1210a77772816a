#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Interrupted anywhere, by Ctrl-C or by SIGTERM, the demo takes everything down."""

import os
import signal
import sys

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


def _control_c(pid):
    """A terminal tells the whole group, the programs that the demo runs included."""
    os.killpg(pid, signal.SIGINT)


def _terminate(pid):
    os.kill(pid, signal.SIGTERM)


PLACES = {
    "filling": (["filling a"], _control_c),
    "lane_1_reading": (["lane 1", "reading"], _control_c),
    "lane_1_copying": (["lane 1", "copying"], _control_c),
    "lane_2_start": (["lane 2", "dmremap start"], _control_c),
    "lane_2_fio": (["lane 2", "fio:"], _control_c),
    "lane_2_terminated": (["lane 2", "copying"], _terminate),
}


def demo_interrupted(t):
    _interrupt_at(t, *PLACES[sys.argv[1]])


support.run_test(demo_interrupted, root=True, fuse=True, loop=True,
                 programs=["fio", "mkfs.ext4", "debugfs"])
