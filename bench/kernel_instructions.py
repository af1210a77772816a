#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""kernel_instructions.py: instructions of a request of 4 KiB by each way that goes through the
kernel, of user, kernel and server together, counted in a guest under QEMU (docs/testing.md).

Wants the programs built (`make build`) and what guests want. Exit status 1: a bound was missed."""

import os
import subprocess
import sys

GUEST = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                     "tests", "guest", "guest")


def main():
    return subprocess.call([sys.executable, GUEST, "run", "ublk_instructions"])


if __name__ == "__main__":
    sys.exit(main())
