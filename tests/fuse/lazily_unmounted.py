#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The FUSE file under a loop device was taken out of the file tree (`umount -l`), by mistake or by a
script that unmounts everything. The device goes on serving, and `stop` ends the set: no second loop
device comes up over the plain file that stands there now, and the stable link does not move."""

import os

import product
import support
from support import check, equal


def lazily_unmounted(t):
    dm = product.Product(t, t.image("main", "32MiB", fill=1), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    node = dm.start("block")
    link = f"/dev/dm-remap/{dm.name}"
    equal(os.readlink(link), node, "the link")
    file = os.path.join(t.runtime_dir, f"{dm.name}.dev")
    support.run("umount", "-l", file)
    equal(support.read_sectors(node, 0), support.pattern(0, seed=1), "what is served")

    dm.stop()
    check(not os.path.lexists(link), "the link is left")
    equal(product.loops_over(t.runtime_dir), [], "loop devices left")
    support.wait_until(lambda: not dm.is_running(), "the end of the set")

    # The same while somebody has the device open: refused, and nothing changes.
    node = dm.start("block")
    support.run("umount", "-l", file)
    fd = os.open(node, os.O_RDONLY)
    dm.stop(expect=3)
    equal(os.readlink(link), node, "the link after the refusal")
    equal(support.loop_backing(node) is None, False, "the device is detached")
    os.close(fd)
    dm.stop()
    check(not os.path.lexists(link), "the link is left")


support.run_test(lazily_unmounted, root=True, fuse=True, loop=True)
