#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a dead run left is cleared away when nothing uses it; what is in use is named and refused."""

import os

import product
import support
from support import check, equal


def leftovers(t):
    image = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    dm = product.Product(t, image, t.path("spare"))
    dm.create("--spare-size", "32MiB")

    # Nobody uses it: loop device, link, dead FUSE mount, socket and pid file are cleared away.
    dm.start("block")
    dm.kill()
    check(product.loops_over(t.runtime_dir), "the dead run left its loop device")
    device = dm.start("block")
    equal(len(product.loops_over(t.runtime_dir)), 1, "loop devices after the next start")

    # Someone does: its file system is still mounted.
    point = t.mount(device)
    dm.kill()
    done = dm.start("block", expect=3)
    check(point in done.one_line_error(), f"the error names the mount: {done}")
    check(not dm.is_running(), "nothing runs after a refusal")
    support.run("umount", point)
    device = dm.start("block")
    support.run("e2fsck", "-p", device, expect=(0, 1))
    dm.stop()

    equal(product.loops_over(t.runtime_dir), [], "loop devices after stop")
    equal(support.mounts_below(t.runtime_dir), [], "mounts after stop")
    check(not os.path.lexists(f"/dev/dm-remap/{dm.name}"), "the stable link is gone after stop")
    left = [name for name in os.listdir(t.runtime_dir) if name.endswith((".sock", ".pid", ".dev"))]
    equal(left, [], "runtime files after stop")

    # A socket and a pid file of a run that is long over are no run.
    for suffix in (".sock", ".pid"):
        with open(os.path.join(t.runtime_dir, dm.name + suffix), "w", encoding="ascii") as file:
            file.write("999999\n" if suffix == ".pid" else "")
    dm.start("fuse")
    dm.stop()


support.run_test(leftovers, root=True, fuse=True, loop=True)
