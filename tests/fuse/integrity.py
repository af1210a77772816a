# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written through the loop device or the file is what is read, from either side and in the
memory below, with many requests at once and direct I/O all the way."""

import os

import support
from ram_disk import RamDisk
from support import check, equal, equal_bytes


def fio(path, *options):
    support.run("fio", "--name=verify", f"--filename={path}", "--rw=randrw", "--bsrange=512-256k",
                "--size=48m", "--io_size=96m", "--verify=crc32c", "--verify_fatal=1",
                "--do_verify=1", "--ioengine=libaio", "--iodepth=32", "--direct=1", *options)


def integrity(t):
    disk = RamDisk(t, link=t.path("links", "disk"))
    equal(os.readlink(t.path("links", "disk")), disk.node, "stable link")
    fio(disk.node)
    fio(disk.path)
    data = support.pattern(0, 4096, seed=7)
    support.write_sectors(disk.node, 2048, data)
    equal_bytes(support.read_sectors(disk.path, 2048, 4096), data, "through the file")
    support.write_sectors(disk.path, 8192, data)
    equal_bytes(support.read_sectors(disk.node, 8192, 4096), data, "through the loop device")
    memory = disk.bytes(t)
    equal_bytes(memory[2048 * 512:2048 * 512 + len(data)], data, "in memory")
    counts = disk.counts()
    equal(counts["misaligned"], 0, "requests that O_DIRECT would have to copy")
    check(counts["busiest"] > 1, "requests are served one at a time")

    flushes = counts["flushes"]
    support.flush(disk.node)
    check(disk.counts()["flushes"] > flushes, "a flush of the block device did not arrive")
    disk.stop()
    check(not os.path.lexists(t.path("links", "disk")), "the stable link is still there")
    check(not os.path.lexists(disk.path), "the mount file is still there")
    equal(support.loop_backing(disk.node), None, "the loop device's file")


support.run_test(integrity, root=True, fuse=True, loop=True, programs=["fio", "losetup"])
