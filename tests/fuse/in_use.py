# SPDX-License-Identifier: GPL-2.0-or-later
"""Nothing is taken from under those who use it: detaching and stopping are refused, naming who, and
everything goes on."""

import os
import subprocess
import sys

import support
from ram_disk import RamDisk
from support import check, equal


def expect_in_use(disk, order, *names):
    error = disk.order(order).get("error")
    check(error, f"{order} was done")
    equal(error["code"], "device-in-use", f"{order}")
    for name in names:
        check(str(name) in error["what"], f"{order} does not name {name}: {error}")
    check(error["hint"], "no hint")


def in_use(t):
    disk = RamDisk(t, size="32MiB")
    support.run("mkfs.ext4", "-q", disk.node)
    point = t.mount(disk.node)
    expect_in_use(disk, "detach", point)
    with open(os.path.join(point, "file"), "wb") as file:
        file.write(b"still served")
    support.unmount(point)

    reader = subprocess.Popen([sys.executable, "-c", "import sys; f = open(sys.argv[1], 'rb');"
                               "print('open', flush=True); sys.stdin.read()", disk.node],
                              stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    t.cleanup.push(reader.kill)
    reader.stdout.readline()
    expect_in_use(disk, "detach", reader.pid)
    support.read_sectors(disk.node, 0, 8)
    reader.communicate("")

    expect_in_use(disk, "stop", disk.node)  # the loop device is a user of the file
    disk.must("detach")
    equal(support.loop_backing(disk.node), None, "the loop device's file")
    fd = os.open(disk.path, os.O_RDONLY)
    expect_in_use(disk, "stop", os.getpid())
    equal(len(os.pread(fd, 4096, 0)), 4096, "still served")
    os.close(fd)
    disk.must("stop")
    check(not os.path.lexists(disk.path), "the mount file is still there")

    # From outside.
    disk = RamDisk(t, size="16MiB", name="other", loop=False)
    check(not disk.counts()["ended"], "ended while mounted")
    support.run("umount", disk.path)
    support.wait_until(lambda: disk.counts()["ended"], "ended after an unmount from outside")
    disk.must("stop")
    disk = RamDisk(t, size="16MiB", name="third")
    support.detach_loop(disk.node)
    disk.stop()


support.run_test(in_use, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
