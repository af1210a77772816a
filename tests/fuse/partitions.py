# SPDX-License-Identifier: GPL-2.0-or-later
"""A whole disk with partitions on it: they get devices of their own, and using one is using it."""

import os

import support
from ram_disk import RamDisk
from support import check, equal


def partitions(t):
    disk = RamDisk(t, size="32MiB", block=4096)
    name = os.path.basename(disk.node)
    equal(support.run("blockdev", "--getss", disk.node).out.strip(), "4096", "logical block")
    with open(f"/sys/block/{name}/loop/partscan", encoding="ascii") as file:
        equal(file.read().strip(), "1", "the kernel looks for partitions")
    # By hand: not every kernel reads every partition table.
    support.run("addpart", disk.node, 1, 2048, 32768)
    support.run("addpart", disk.node, 2, 34816, 16384)
    parts = support.wait_until(
        lambda: sorted(n for n in os.listdir(f"/sys/block/{name}") if n.startswith(name)),
        "partitions in /sys")
    equal(parts, [f"{name}p1", f"{name}p2"], "partitions")
    node = f"/dev/{parts[0]}"
    if not os.path.exists(node):
        with open(f"/sys/block/{name}/{parts[0]}/dev", encoding="ascii") as file:
            major, minor = map(int, file.read().split(":"))
        os.mknod(node, 0o60600, os.makedev(major, minor))
        t.cleanup.push(os.unlink, node)
    support.run("mkfs.ext4", "-q", node)
    point = t.mount(node)
    error = disk.order("detach").get("error")
    check(error and point in error["what"], f"does not name the mount point: {error}")
    support.unmount(point)
    # Another test may be looking at it, as at every device there is.
    support.wait_until(lambda: "error" not in disk.order("detach"), "detached")
    check(not os.path.exists(f"/sys/block/{name}/{parts[0]}"), "the partition is still there")
    disk.must("stop")


support.run_test(partitions, root=True, fuse=True, loop=True, programs=["addpart", "mkfs.ext4"])
