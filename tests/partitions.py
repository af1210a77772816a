# SPDX-License-Identifier: GPL-2.0-or-later
"""Partitions of a loop device."""

import os

import support


def partition(test, disk, number, first, count):
    """The node of a partition made by hand, as not every kernel reads every partition table; `first`
    and `count` in sectors of 512 bytes. It is gone with the test."""
    name = os.path.basename(disk)
    node = f"{disk}p{number}"
    sysfs = f"/sys/block/{name}/{name}p{number}/dev"

    def remove():
        # Busy while another test looks at all devices. What stays is there for the next file of the disk, too.
        def is_gone():
            return not os.path.exists(sysfs) or support.run("delpart", disk, number, expect=None).exit == 0
        support.wait_until(is_gone, f"{node} is removed")

    remove()  # of a test that was killed
    support.run("addpart", disk, number, first, count)
    test.cleanup.push(remove)
    support.wait_until(lambda: os.path.exists(sysfs), "the partition")
    if not os.path.exists(node):
        with open(sysfs, encoding="ascii") as file:
            major, minor = map(int, file.read().split(":"))
        os.mknod(node, 0o60600, os.makedev(major, minor))
        test.cleanup.push(os.unlink, node)
    return node
