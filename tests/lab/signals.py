# SPDX-License-Identifier: GPL-2.0-or-later
"""In the foreground it serves until a signal, and unmounts then, in use or not."""

import contextlib
import os
import signal
import subprocess

import support
from support import check, equal, pattern


def serve_in_foreground(t, image, mountfile):
    lab = subprocess.Popen([support.DMREMAP_LAB, "serve", image, mountfile],
                           stdout=subprocess.PIPE, text=True)
    t.cleanup.push(lab.wait, timeout=300)
    t.cleanup.push(lab.kill)
    check(mountfile in lab.stdout.readline(), "it says where it serves, once it does")
    return lab


def signals(t):
    image = t.image("disk.img", "1MiB", fill=1)
    mountfile = t.path("disk")
    for number in (signal.SIGTERM, signal.SIGINT):
        lab = serve_in_foreground(t, image, mountfile)
        support.write_sectors(mountfile, 5, pattern(5, 1, seed=int(number)))
        lab.send_signal(number)
        equal(lab.wait(timeout=300), 0, f"exit after {number.name}")
        check(not support.is_mounted(mountfile), f"mounted after {number.name}")
        equal(os.listdir(t.runtime_dir), [], f"runtime files after {number.name}")
        support.equal_bytes(support.read_sectors(image, 5), pattern(5, 1, int(number)), "image")

    # In use: the mount goes at once, the user of the disk gets errors.
    lab = serve_in_foreground(t, image, mountfile)
    fd = os.open(mountfile, os.O_RDONLY)
    lab.send_signal(signal.SIGTERM)
    equal(lab.wait(timeout=300), 0, "exit while in use")
    check(not support.is_mounted(mountfile), "mounted though ended")
    try:
        os.pread(fd, 512, 0)
        raise support.CheckFailed("a disk without its lab still answers")
    except OSError:
        pass
    with contextlib.suppress(OSError):  # close(2) tells, too, that the disk has gone
        os.close(fd)


support.run_test(signals, root=True, fuse=True)
