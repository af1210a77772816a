# SPDX-License-Identifier: GPL-2.0-or-later
"""A server that was killed leaves a dead mount, a loop device over it and a link. The next start
clears them away; while somebody still uses them it refuses and says who."""

import os

import support
from ram_disk import RamDisk
from support import check, equal


def leftovers(t):
    link = t.path("links", "disk")
    mountfile = t.path("disk")
    disk = RamDisk(t, size="32MiB", mountfile=mountfile, link=link)
    dead_node = disk.node
    disk.kill()
    with support.expect_errno(107):  # ENOTCONN
        os.stat(mountfile)
    equal(support.loop_backing(dead_node), mountfile, "the dead loop device's file")

    disk = RamDisk(t, size="32MiB", mountfile=mountfile, link=link)
    equal(disk.error, None, "error of the start")
    equal([n for n in os.listdir("/sys/block") if support.loop_backing(n) == mountfile],
          [os.path.basename(disk.node)], "loop devices over the file")
    equal(os.readlink(link), disk.node, "link")
    support.run("mkfs.ext4", "-q", disk.node)
    point = t.mount(disk.node, "mnt with space")
    disk.kill()

    refused = RamDisk(t, size="32MiB", mountfile=mountfile, link=link)
    check(refused.error, "it started over a mounted leftover")
    equal(refused.error["code"], "leftovers-in-use", "error")
    check(point in refused.error["what"], f"does not name the mount point: {refused.error}")
    check(disk.node in refused.error["hint"], f"does not say what to do: {refused.error}")
    check(support.is_mounted(point) and os.path.lexists(link), "a refusal must change nothing")
    equal(support.loop_backing(disk.node), mountfile, "the refused loop device's file")

    support.run("umount", point)
    opener = support.Cleanup()
    t.cleanup.push(opener.close)
    fd = os.open(disk.node, os.O_RDONLY)
    opener.push(os.close, fd)
    refused = RamDisk(t, size="32MiB", mountfile=mountfile, link=link)
    equal((refused.error or {}).get("code"), "leftovers-in-use", "error while it is open")
    check(str(os.getpid()) in refused.error["what"], f"does not name the process: {refused.error}")
    opener.close()

    disk = RamDisk(t, size="32MiB", mountfile=mountfile, link=link)
    equal(disk.error, None, "error of the last start")
    support.write_sectors(disk.node, 0, support.pattern(0, 8))

    live = RamDisk(t, size="32MiB", mountfile=mountfile, link=link)
    equal((live.error or {}).get("code"), "device-in-use", "a second server of the same path")
    disk.stop()


support.run_test(leftovers, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
