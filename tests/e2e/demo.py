#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo holds on a sound engine, and leaves nothing behind."""

import demo_lane
import support
from support import check, equal


def demo(t):
    process = demo_lane.start(t)
    out, _ = process.communicate()
    equal(process.returncode, 0, f"exit status of the demo\n{out}")
    check("every check held" in out, out)
    demo_lane.check_nothing_left(t)


support.run_test(demo, root=True, fuse=True, loop=True, programs=["fio", "mkfs.ext4", "debugfs"])
