#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The kernel's connection to the FUSE file is aborted while another process has the file, or a file
system on the loop device, in use. Nobody can reach the set through it any more, so the set ends by
itself, leaves no mount, no loop device and no link, and says so in a line of its log, not in one each
second; then it starts again."""

import os

import product
import support
from support import check, equal

ABORT_LINE = "cut off from the kernel"


def abort(t, path):
    control = t.path("connections")
    os.makedirs(control, exist_ok=True)
    support.run("mount", "-t", "fusectl", "none", control)
    try:
        number = os.minor(os.stat(path).st_dev)
        with open(os.path.join(control, str(number), "abort"), "w", encoding="ascii") as file:
            file.write("1")
    finally:
        support.run("umount", control)


def aborted(t):
    disk = t.lab(size="32MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    file = os.path.join(t.runtime_dir, f"{dm.name}.dev")
    for kind in ("fuse", "block"):
        device = dm.start(kind)
        opener = support.Cleanup()
        t.cleanup.push(opener.close)
        if kind == "block":
            support.run("mkfs.ext4", "-q", device)
            point = t.mount(device, "mnt")
            opener.push(support.run, "umount", point)
        opener.push(os.close, os.open(file, os.O_RDWR))
        abort(t, file)
        support.wait_until(lambda: not dm.is_running(), f"the end of the set ({kind})")
        check(not support.is_mounted(file), f"{kind}: a dead mount is left")
        check(not os.path.lexists(f"/dev/dm-remap/{dm.name}"), f"{kind}: the link is left")
        with open(os.path.join(t.runtime_dir, f"{dm.name}.log"), encoding="utf-8") as log:
            lines = log.read().splitlines()
        equal(sum(ABORT_LINE in line for line in lines), 1, f"{kind}: lines about the end")
        check(len(lines) < 10, f"{kind}: a log of {len(lines)} lines")
        opener.close()
        support.wait_until(lambda: not product.loops_over(t.runtime_dir), "no loop device left")
        os.unlink(os.path.join(t.runtime_dir, f"{dm.name}.log"))
    dm.start("block")
    dm.stop()


support.run_test(aborted, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
