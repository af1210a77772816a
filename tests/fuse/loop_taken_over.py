#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A set's loop device is free for a moment when it is detached, and another program takes it: the set
has ended, and does not wait for the other's device, nor change it."""

import os

import support

PROGRAM = os.path.join(os.path.dirname(support.DMREMAP), "loop_taken_over")


def loop_taken_over(t):
    support.run(PROGRAM, t.image("ours", "4MiB"), t.image("theirs", "4MiB"))


support.run_test(loop_taken_over, root=True, loop=True)
