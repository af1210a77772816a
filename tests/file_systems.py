# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that make and check file systems, as tests run them side by side."""

import errno
import os

import support


def run_past_dead_mounts(*command):
    """Programs of btrfs look at all that is mounted, and give up at a dead FUSE file that another
    test has made just now."""
    def done():
        outcome = support.run(*command, expect=None)
        if outcome.exit != 0 and os.strerror(errno.ENOTCONN) in outcome.err:
            return None
        support.check(outcome.exit == 0, f"expected exit 0: {outcome}")
        return outcome
    return support.wait_until(done, f"{command[0]} without a dead mount")
