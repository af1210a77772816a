# SPDX-License-Identifier: GPL-2.0-or-later
"""What the benches share that measure servers in turn, round by round, and take ratios within each
round."""

import math
import os
import signal
import statistics

from support import MIB, wait_until

IMAGE_BYTES = 256 * MIB


def estimate(samples):
    """(median, lower and upper end of its 95 % interval): as bench/measure.cpp does it."""
    ordered = sorted(samples)
    n = len(ordered)
    below = max(0, math.floor(n / 2 - 1.96 * math.sqrt(n) / 2))
    low, high = (0, n - 1) if below == 0 else (below - 1, n - below)
    return statistics.median(ordered), ordered[low], ordered[high]


def text(samples, digits=2):
    middle, low, high = estimate(samples)
    return f"{middle:.{digits}f} ({low:.{digits}f} to {high:.{digits}f})"


def filled_image(t, name, size=IMAGE_BYTES):
    """A file that has all its blocks, of nothing that compresses."""
    path = t.path(name)
    piece = os.urandom(MIB)
    with open(path, "wb") as file:
        for _ in range(size // MIB):
            file.write(piece)
    return path


def end_by_pid_file(path):
    with open(path) as file:
        pid = int(file.read())
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not os.path.exists(f"/proc/{pid}"), f"process {pid} ended")
