# SPDX-License-Identifier: GPL-2.0-or-later
"""What a killed lab leaves, a dead mount and a socket, is cleared away by serve and by stop."""

import os

import lab_process
import support
from support import check, equal, pattern, read_sectors


def dead_mount(t):
    disk = t.lab(size="1MiB", fill=1)
    # A live one is not taken away, nor its image served twice.
    other = t.image("other.img", "1MiB")
    support.dmremap_lab("serve", other, disk.path, "--background", expect=3).one_line_error()
    support.dmremap_lab("serve", disk.image, t.path("second"), "--background",
                        expect=3).one_line_error()
    check(not os.path.exists(t.path("second")), "a refused serve left its mount file")
    read_sectors(disk.path, 0)

    lab_process.kill(disk)
    support.dmremap_lab("show", disk.path, expect=1).one_line_error()
    disk.serve()
    equal(len(support.mounts_below(disk.path)), 1, "mounts after serving over a dead one")
    support.equal_bytes(read_sectors(disk.path, 3), pattern(3, 1, 1), "served again")

    # Also while a loop device still holds on to the dead disk.
    t.loop(disk.path)
    lab_process.kill(disk)
    disk.serve()
    support.equal_bytes(read_sectors(disk.path, 3), pattern(3, 1, 1), "served a third time")

    lab_process.kill(disk)
    check("dead mount" in disk.stop().out, "stop says that the lab had died")
    check(not support.is_mounted(disk.path), "still mounted")
    equal(os.listdir(t.runtime_dir), [], "files in the runtime directory")


support.run_test(dead_mount, root=True, fuse=True, loop=True)
