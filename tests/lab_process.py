# SPDX-License-Identifier: GPL-2.0-or-later
"""The process that serves a lab's disk, for tests in which it dies."""

import errno
import os
import signal

import support


def _pid_of(disk):
    """By its command line, as the kernel tells it."""
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
        except OSError:
            continue
        if disk.path.encode() in words and b"serve" in words:
            return int(pid)
    raise support.CheckFailed("the lab does not run")


def kill(disk):
    """kill -9: the mount is dead from then on. Waits until that shows."""
    os.kill(_pid_of(disk), signal.SIGKILL)

    def dead():
        try:
            os.stat(disk.path)
            return False
        except OSError as error:
            return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)

    support.wait_until(dead, "the dead mount")
