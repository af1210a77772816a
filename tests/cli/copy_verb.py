#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""copy brings a running set onto a healthy disk, verified; lost sectors are left out and listed in
a mapfile that ddrescue and ddrescuelog take; release --copied then frees the spare."""

import os
import shutil
import signal
import subprocess
import time

import product
import seals
import support
import untouched
from support import check, equal, equal_bytes, pattern

SIZE = 16 * support.MIB


def _blocks(mapfile, status):
    listed = support.run("ddrescuelog", f"--list-blocks={status}", "--block-size=512", mapfile)
    return [int(line) for line in listed.out.split()]


def _set_with_losses(t, number):
    """1000 to 1007 and 30001 are lost; 5000 to 5003 live on the spare."""
    disk = t.lab(size="16MiB", fill="old")
    dm = product.Product(t, disk.path, t.path(f"spare{number}"))
    dm.create("--spare-size", "32MiB")
    disk.fault("read", "1000+8")
    disk.fault("read", "30001")
    disk.fault("write", "5000+4")
    return disk, dm


def _compare(path, lost):
    with open(path, "rb") as file:
        copied = file.read(SIZE)
    want = bytearray(pattern(0, SIZE // 512, "old"))
    want[5000 * 512:5004 * 512] = pattern(5000, 4, "new")
    for sector in lost:
        want[sector * 512:(sector + 1) * 512] = bytes(512)
    equal_bytes(copied, bytes(want), f"{path}")


LOST = [*range(1000, 1008), 30001]


def _to_a_file(t):
    _, dm = _set_with_losses(t, 1)
    device = dm.start("block")
    support.write_sectors(device, 5000, pattern(5000, 4, "new"))
    target = t.path("copy.img")
    done = dm.run("copy", dm.name, target, "--json").json()
    equal((done["copied_sectors"], done["left_out_sectors"], done["unread_sectors"],
           done["recorded"]), (SIZE // 512 - 9, 9, 0, True), "copied")
    equal(done["left_out"], [1000, 8, 30001, 1], "left out")
    equal(os.path.getsize(target), SIZE, "size of the copy")
    _compare(target, LOST)
    mapfile = done["mapfile"]
    equal(_blocks(mapfile, "-"), LOST, "what ddrescuelog calls bad")
    equal(len(_blocks(mapfile, "+")), SIZE // 512 - 9, "and finished")
    # The real ddrescue goes on from it: what is lost is still unreadable, all else is done.
    own = t.path("own.map")
    shutil.copy(mapfile, own)
    support.run("ddrescue", "--force", "--idirect", "--sector-size=512", device, target, own)
    equal(_blocks(own, "-"), LOST, "ddrescue found no more")
    _compare(target, LOST)

    again = dm.run("copy", dm.name, target, "--json").json()
    equal((again["resumed_sectors"], again["recorded"]), (SIZE // 512 - 9, True), "nothing to do")
    text = dm.run("copy", dm.name, target)
    check("9 sectors are lost and left out" in text.out and "release" in text.out, text)
    equal(text.err, "", "no progress bar where there is no terminal")
    dm.stop()
    reader = support.run(seals.READER, dm.spare, expect=(0, 4)).json()
    equal(reader["winner"], dm.examine()["winner"], "a reader that does not look at the record")
    refused = dm.run("release", dm.spare, "--json", expect=3)
    equal(refused.error_json()["code"], "still-remapped", "not asked for")
    return dm


def _released(t, dm):
    shutil.copy(dm.spare, t.path("spare.before"))
    # A start voids the record, whatever follows.
    dm.start("fuse", by_devices=True)
    dm.stop()
    done = dm.run("release", dm.spare, "--copied", "--json", expect=3)
    equal(done.error_json()["code"], "still-remapped", "outdated by the start")
    shutil.copy(t.path("spare.before"), dm.spare)
    dm.run("repair", dm.spare)
    freed = dm.run("release", dm.spare, "--copied", "--json").json()
    equal((freed["copied"], freed["left_out_sectors"]), (True, 9), "released")


def _written_since(t):
    """Writes, during the copy or after it, are not in it."""
    _, dm = _set_with_losses(t, 2)
    device = dm.start("block")
    support.write_sectors(device, 5000, pattern(5000, 4, "new"))
    target = t.path("copy2.img")
    dm.run("copy", dm.name, target)
    support.write_sectors(device, 7000, pattern(7000, 1, "late"))
    dm.stop()
    done = dm.run("release", dm.spare, "--copied", "--json", expect=3)
    equal(done.error_json()["code"], "still-remapped", "written to after the copy")

    device = dm.start("block")
    done = dm.run("copy", dm.name, target)
    check("copied again" in done.err, f"says that it begins anew: {done}")
    equal_bytes(support.read_sectors(target, 7000), pattern(7000, 1, "late"), "the newest")
    # A sector that was lost comes back: the copy lacks it.
    image = t.image("image.img", SIZE, fill="old")
    filled = dm.run("backfill", dm.name, image, "--json").json()["filled_sectors"]
    equal(filled, 9, "filled")
    dm.stop()
    dm.run("release", dm.spare, "--copied", expect=3)
    dm.start("block")
    dm.run("copy", dm.name, target)
    dm.stop()
    _compare_late(target)
    dm.run("release", dm.spare, "--copied")


def _compare_late(target):
    with open(target, "rb") as file:
        data = file.read()
    want = bytearray(pattern(0, SIZE // 512, "old"))
    want[5000 * 512:5004 * 512] = pattern(5000, 4, "new")
    want[7000 * 512:7001 * 512] = pattern(7000, 1, "late")
    equal_bytes(data, bytes(want), "all of it")


def _interrupted(t):
    """SIGINT leaves a mapfile from which the same command goes on."""
    disk = t.lab(size="64MiB", fill="old")
    disk.fault("slow:300", "60000+8")
    dm = product.Product(t, disk.path, t.path("spare3"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    target = t.path("copy3.img")
    child = subprocess.Popen([support.DMREMAP, "copy", dm.name, target], stderr=subprocess.PIPE,
                             stdout=subprocess.PIPE, text=True)
    support.wait_until(lambda: os.path.exists(target + ".map"), "a mapfile")
    time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, err = child.communicate(timeout=300)
    check(child.returncode in (0, 1), f"ended by itself: {child.returncode}")
    if child.returncode == 1:
        check("interrupted" in err and "the same command" in err, err)
        check(_blocks(target + ".map", "?"), "something is left")
    copied = len(_blocks(target + ".map", "+"))
    done = dm.run("copy", dm.name, target, "--json").json()
    equal((done["resumed_sectors"], done["left_out_sectors"]), (copied, 0), "goes on")
    with open(target, "rb") as one, open(disk.image, "rb") as other:
        check(one.read() == other.read(), "the copy is whole")
    dm.stop()


def _refused(t):
    disk, dm = _set_with_losses(t, 4)
    device = dm.start("block")

    def refuse(target, code, *args, exit=3):
        before = untouched.digest(target) if target.endswith(".img") else None
        done = dm.run("copy", dm.name, target, *args, "--json", expect=exit)
        equal(done.error_json()["code"], code, done)
        done.one_line_error()
        if before:
            equal(untouched.digest(target), before, f"{target}")

    mapfile = ["--mapfile", t.path("refused.map")]
    refuse(disk.path, "same-device", *mapfile)
    refuse(dm.spare, "same-device", *mapfile)
    refuse(device, "same-device", *mapfile)
    small = t.loop(t.image("small.img", "8MiB"))
    refuse(small, "device-too-small", *mapfile)
    refuse(small, "usage", exit=2)
    full = t.image("full.img", SIZE)
    support.run("mkfs.ext4", "-q", "-F", full)
    refuse(full, "file-exists")
    loop = t.loop(full)
    refuse(loop, "spare-has-data", *mapfile)
    mount = t.mount(loop)
    refuse(loop, "device-in-use", *mapfile, "--force")
    support.unmount(mount)
    other = product.Product(t, t.image("other.img", "16MiB"), t.path("other.spare"))
    other.create("--spare-size", "32MiB")
    set_loop = t.loop(other.spare)
    refuse(set_loop, "spare-has-set", *mapfile, "--force")
    refuse("/dev/no-such-disk", "no-such-device", *mapfile, exit=1)
    check(not os.path.exists(mapfile[1]), "a refusal leaves no mapfile")
    with open(mapfile[1], "w", encoding="ascii") as file:
        file.write("# Mapfile. Created by GNU ddrescue\n0 + 1\n0 512 +\n")
    refuse(t.path("fresh.img"), "file-exists", *mapfile)
    os.unlink(mapfile[1])

    # Forced, and to a device.
    done = dm.run("copy", dm.name, loop, *mapfile, "--force", "--json").json()
    equal((done["left_out_sectors"], done["recorded"]), (9, True), "forced")
    equal_bytes(support.read_sectors(loop, 0, 8), pattern(0, 8, "old"), "on the device")

    # In use: a copy of what changes is none. Read-only: it does not.
    holder = os.open(device, os.O_RDONLY | os.O_EXCL)
    refuse(t.path("busy.img"), "device-in-use")
    os.close(holder)
    dm.stop()
    dm.run("copy", dm.name, t.path("busy.img"), expect=1).one_line_error()
    dm.start("fuse", "--read-only")
    done = dm.run("copy", dm.name, t.path("read-only.img"), "--json", expect=(0, 1)).json()
    equal(done["recorded"], False, "nothing can be recorded")
    dm.stop()


def _mounted(t):
    """What is mounted may change, and is refused; of a set that is read-only it cannot."""
    image = t.image("mounted.img", "32MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    dm = product.Product(t, image, t.path("spare5"))
    dm.create("--spare-size", "32MiB")
    mount = t.mount(dm.start("block"), "mounted")
    target = t.path("mounted-copy.img")
    done = dm.run("copy", dm.name, target, "--json", expect=3)
    error = done.error_json()
    equal(error["code"], "device-in-use", done)
    check(mount in error["what"] and "--read-only" in error["hint"], f"says where: {done}")
    check(not os.path.exists(target), "nothing was made")
    support.unmount(mount)
    dm.stop()
    mount = t.mount(dm.start("block", "--read-only"), "read-only", "-o", "ro,noload")
    equal(dm.run("copy", dm.name, target, "--json").json()["recorded"], False, "not recorded")
    support.unmount(mount)
    dm.stop()
    with open(target, "rb") as one, open(image, "rb") as other:
        check(one.read() == other.read(), "the copy is whole")


def copy_verb(t):
    dm = _to_a_file(t)
    _released(t, dm)
    _written_since(t)
    _interrupted(t)
    _refused(t)
    _mounted(t)


support.run_test(copy_verb, root=True, fuse=True, loop=True,
                 programs=["ddrescue", "ddrescuelog", "mkfs.ext4"])
