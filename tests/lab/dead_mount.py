# SPDX-License-Identifier: GPL-2.0-or-later
"""What a killed lab leaves, a dead mount and a socket, is cleared away by serve and by stop."""

import errno
import os
import signal

import support
from support import check, equal, pattern, read_sectors


def lab_pid(disk):
    """The process that listens on the lab's socket, as the kernel tells it."""
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
    os.kill(lab_pid(disk), signal.SIGKILL)

    def dead():
        try:
            os.stat(disk.path)
            return False
        except OSError as error:
            return error.errno in (errno.ENOTCONN, errno.ECONNABORTED)

    support.wait_until(dead, "the dead mount")


def dead_mount(t):
    disk = t.lab(size="1MiB", fill=1)
    # A live one is not taken away, nor its image served twice.
    other = t.image("other.img", "1MiB")
    support.dmremap_lab("serve", other, disk.path, "--background", expect=3).one_line_error()
    support.dmremap_lab("serve", disk.image, t.path("second"), "--background",
                        expect=3).one_line_error()
    check(not os.path.exists(t.path("second")), "a refused serve left its mount file")
    read_sectors(disk.path, 0)

    kill(disk)
    support.dmremap_lab("show", disk.path, expect=1).one_line_error()
    disk.serve()
    equal(len(support.mounts_below(disk.path)), 1, "mounts after serving over a dead one")
    support.equal_bytes(read_sectors(disk.path, 3), pattern(3, 1, 1), "served again")

    # Also while a loop device still holds on to the dead disk.
    t.loop(disk.path)
    kill(disk)
    disk.serve()
    support.equal_bytes(read_sectors(disk.path, 3), pattern(3, 1, 1), "served a third time")

    kill(disk)
    check("dead mount" in disk.stop().out, "stop says that the lab had died")
    check(not support.is_mounted(disk.path), "still mounted")
    equal(os.listdir(t.runtime_dir), [], "files in the runtime directory")


support.run_test(dead_mount, root=True, fuse=True, loop=True)
