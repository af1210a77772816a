#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 13, nobody is left in the dark, and promise 6: a spare that is unplugged or refuses writes,
a full file system below a sparse spare, a main that the kernel sets read-only or that is detached,
images that are truncated while they are served. Each is a condition, exit status 4 and an event
within ten seconds, and an event when it is over; nothing is called a lost sector for it, and what
had to be refused is possible again without a restart."""

import errno
import os
import shutil
import sys

import product
import support
from support import MIB, SECTOR, check, equal, equal_bytes, expect_errno, pattern

TOLD_WITHIN_S = 10


def wait_for(dm, condition, present=True):
    """Polls status until the condition is there, or gone."""
    support.wait_until(lambda: (condition in dm.status()["conditions"]) == present,
                       f"{condition} {'told' if present else 'over'}", seconds=TOLD_WITHIN_S)


def came(dm, condition):
    wait_for(dm, condition)
    dm.run("status", dm.name, expect=4)
    dm.run("list", expect=4)
    check(dm.status()["state"] != "healthy", f"{condition} is not healthy")
    support.wait_until(lambda: len(dm.events(condition)) == 1, f"an event {condition}",
                       seconds=TOLD_WITHIN_S)


def went(dm, condition):
    wait_for(dm, condition, present=False)
    support.wait_until(lambda: len(dm.events(condition)) == 2, f"a second event {condition}",
                       seconds=TOLD_WITHIN_S)


def expect_refused(device, sector):
    with expect_errno(errno.EIO):
        support.write_sectors(device, sector, pattern(sector, 8, "refused"))


def expect_taken(dm, device, sector):
    """What main does not take goes to the spare."""
    support.write_sectors(device, sector, pattern(sector, 8, "taken"))
    equal_bytes(support.read_sectors(device, sector, 8), pattern(sector, 8, "taken"), "remapped")
    check(dm.status()["remapped_sectors"] >= 8, "it is remapped")


def _with_bad_main(t):
    disk = t.lab(size="32MiB", fill="old")
    disk.fault("write", "64+64")
    return disk


def spare_unplugged(t):
    disk = _with_bad_main(t)
    spare = t.lab(size="32MiB")
    dm = product.Product(t, disk.path, spare.path)
    dm.create()
    device = dm.start("fuse")
    dm.run("status", dm.name, expect=0)
    spare.unplug()
    expect_refused(device, 64)
    # Good sectors need no spare, and what is lost cannot be noted and is told all the same.
    support.write_sectors(device, 4096, pattern(4096, 8, "good"))
    disk.fault("read", "8192+8")
    with expect_errno(errno.EIO):
        support.read_sectors(device, 8192, 8)
    came(dm, "spare-away")
    check("read-only" not in dm.status()["conditions"], "it is not given up")
    spare.replug()
    went(dm, "spare-away")
    expect_taken(dm, device, 64)
    dm.stop()


def spare_refuses(t):
    disk = _with_bad_main(t)
    spare = t.lab(size="32MiB")
    dm = product.Product(t, disk.path, spare.path)
    dm.create()
    device = dm.start("fuse")
    spare.fault("write", f"0+{32 * MIB // SECTOR}")
    expect_refused(device, 64)
    came(dm, "spare-refuses")
    spare.clear()
    went(dm, "spare-refuses")
    expect_taken(dm, device, 64)
    dm.run("status", dm.name, expect=0)
    dm.stop()


def no_room_below_the_spare(t):
    disk = _with_bad_main(t)
    small = t.mount(t.loop(_ext4(t, "small.img", "48MiB")), "small")
    spare = os.path.join(small, "sparse")
    with open(spare, "wb") as file:
        file.truncate(32 * MIB)
    dm = product.Product(t, disk.path, spare)
    dm.create()
    filler = os.path.join(small, "filler")
    _fill(filler)
    device = dm.start("fuse")
    expect_refused(device, 64)
    came(dm, "spare-refuses")
    check("ENOSPC" in dm.status()["reason"], f"the reason says why: {dm.status()['reason']}")
    os.unlink(filler)
    went(dm, "spare-refuses")
    expect_taken(dm, device, 64)
    dm.stop()


def _ext4(t, name, size):
    image = t.image(name, size)
    support.run("mkfs.ext4", "-q", "-F", "-m", "0", image)
    return image


def _fill(path):
    with open(path, "wb", buffering=0) as file:
        for step in (MIB, 4096):
            try:
                while True:
                    file.write(bytes(step))
                    os.fsync(file.fileno())
            except OSError as error:
                equal(error.errno, errno.ENOSPC, "filling the file system")


def main_read_only(t):
    image = t.image("locked.img", "32MiB", fill="old")
    main = t.loop(image)
    dm = product.Product(t, main, t.path("locked.spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    support.run("blockdev", "--setro", main)
    t.cleanup.push(support.run, "blockdev", "--setrw", main, expect=None)
    # Without any request it is known.
    came(dm, "main-read-only")
    expect_taken(dm, device, 64)
    equal_bytes(support.read_sectors(device, 512, 8), pattern(512, 8, "old"), "what main holds")
    with open(image, "rb") as file:
        file.seek(64 * SECTOR)
        equal_bytes(file.read(8 * SECTOR), pattern(64, 8, "old"), "main is not written to")
    equal(dm.status()["lost_sectors"], 0, "lost sectors")
    support.flush(device)
    support.run("blockdev", "--setrw", main)
    went(dm, "main-read-only")
    support.write_sectors(device, 512, pattern(512, 8, "again"))
    equal(dm.status()["remapped_sectors"], 8, "remapped when main takes writes again")
    dm.stop()


def main_read_only_from_the_start(t):
    image = t.image("worn.img", "32MiB", fill="old")
    main = t.loop(image)
    dm = product.Product(t, main, t.path("worn.spare"))
    dm.create("--spare-size", "64MiB")
    support.run("blockdev", "--setro", main)
    t.cleanup.push(support.run, "blockdev", "--setrw", main, expect=None)
    refused = dm.run("start", dm.name, "--export", "fuse", "--json", expect=3)
    check("--main-read-only" in refused.err + refused.out, f"the way round is named: {refused}")
    device = dm.start("fuse", "--main-read-only")
    came(dm, "main-read-only")
    # Every second block, so that each is an extent of its own unless what lies between comes along.
    blocks = range(0, 8192, 16)
    for block in blocks:
        support.write_sectors(device, block, pattern(block, 8, "new"))
    support.flush(device)
    for _ in range(2):
        for block in blocks:
            equal_bytes(support.read_sectors(device, block, 8), pattern(block, 8, "new"), "written")
            equal_bytes(support.read_sectors(device, block + 8, 8), pattern(block + 8, 8, "old"),
                        "what lay between")
        equal(dm.status()["remapped_sectors"], 8192, "4 chunks of 1 MiB")
        dm.stop()
        device = dm.start("fuse", "--main-read-only")
    dm.stop()
    dm.start("nbd", "--main-read-only")
    came_again = dm.status()["conditions"]
    check("main-read-only" in came_again, f"by NBD, too: {came_again}")
    with open(image, "rb") as file:
        equal_bytes(file.read(8 * SECTOR), pattern(0, 8, "old"), "main is not written to")
    dm.stop()


def image_truncated(t):
    # On a file system that surely has direct I/O.
    main = os.path.join(t.mount(t.loop(_ext4(t, "below.img", "64MiB")), "below"), "cut.img")
    shutil.move(t.image("cut.img", "32MiB", fill="old"), main)
    dm = product.Product(t, main, t.path("cut.spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    os.truncate(main, 16 * MIB)
    behind = 20 * MIB // SECTOR
    # At once, before anything was looked at: an error, and no longer file.
    expect_refused(device, behind)
    with expect_errno(errno.EIO):
        support.read_sectors(device, behind, 8)
    equal(os.path.getsize(main), 16 * MIB, "size of main")
    came(dm, "device-resized")
    check("tripped" in dm.status()["conditions"], "a size that changed trips")
    equal(dm.status()["lost_sectors"] + dm.status()["remapped_sectors"], 0, "lost or remapped")
    dm.stop(expect=(0, 1))
    equal(os.path.getsize(main), 16 * MIB, "size of main after the stop")


def spare_truncated(t):
    disk = _with_bad_main(t)
    spare = t.image("cut-spare.img", "32MiB")
    dm = product.Product(t, disk.path, spare)
    dm.create()
    device = dm.start("fuse")
    os.truncate(spare, 24 * MIB)
    came(dm, "device-resized")
    came(dm, "spare-refuses")
    expect_refused(device, 64)
    equal(os.path.getsize(spare), 24 * MIB, "size of the spare")
    os.truncate(spare, 32 * MIB)
    went(dm, "device-resized")
    dm.stop(expect=(0, 1))


def main_grew(t):
    main = t.image("grown.img", "16MiB", fill="old")
    dm = product.Product(t, main, t.path("grown.spare"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("fuse")
    os.truncate(main, 17 * MIB)
    came(dm, "device-resized")
    equal_bytes(support.read_sectors(device, 64, 8), pattern(64, 8, "old"), "it is served")
    os.truncate(main, 16 * MIB)
    went(dm, "device-resized")
    dm.stop()


def killed(t):
    dm = product.Product(t, t.image("killed.img", "16MiB"), t.path("killed.spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    dm.kill()
    dm.start("fuse")
    equal(len(dm.events("died")), 1, "the next start tells of it")
    dm.stop()


SITUATIONS = (spare_unplugged, spare_refuses, no_room_below_the_spare, main_read_only,
              main_read_only_from_the_start, image_truncated, spare_truncated, main_grew, killed)


def device_trouble(t):
    named = dict((situation.__name__, situation) for situation in SITUATIONS)
    for name in sys.argv[1:] or named:
        print(name, flush=True)
        named[name](t)


support.run_test(device_trouble, root=True, fuse=True, loop=True,
                 programs=("mkfs.ext4", "blockdev", "losetup"))
