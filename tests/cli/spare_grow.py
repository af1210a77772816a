#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A spare is full, and writes that need a place fail. It is made larger, `spare grow` takes over the
room, and they succeed: while the set runs, while it is stopped, as an image, a loop device and a copy on
something larger, and with a kill in the middle. What is refused changes nothing.

    spare_grow.py [SITUATION ...]    those alone
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import product
import support
from support import MIB, SECTOR, check, equal, equal_bytes, expect_errno, pattern

BAD = 64  # main refuses writes from here on
CAPACITY = 16 * MIB // SECTOR - 8 * 1024  # of a spare of 16 MiB
SIGNPOSTS = 1024  # at the end of a spare that grew
MOVED = 8192  # from here on sectors were moved by hand until the spare was full


def _full(t, spare=None, name="spare.img"):
    disk = t.lab(size="32MiB", fill="disk")
    dm = product.Product(t, disk.path, spare or t.path(name))
    dm.create(*([] if spare else ["--spare-size", "16MiB"]))
    dm.start("fuse")
    dm.run("remap", dm.name, f"{MOVED}+{CAPACITY}")
    equal(dm.status()["spares"][0]["free_sectors"], 0, "room that is left")
    check("spare-full" in dm.status()["conditions"], "spare-full")
    disk.fault("write:ENODATA", f"{BAD}+1024")
    _expect_full(dm)
    return disk, dm


def _expect_full(dm):
    with expect_errno(errno.EIO):
        support.write_sectors(dm.device, BAD, pattern(BAD, 8, "no room"))


def _expect_room(dm, sector=BAD, seed="more room"):
    support.write_sectors(dm.device, sector, pattern(sector, 8, seed))
    support.flush(dm.device)
    equal_bytes(support.read_sectors(dm.device, sector, 8), pattern(sector, 8, seed), "what was saved")
    equal_bytes(support.read_sectors(dm.device, MOVED, 64), pattern(MOVED, 64, "disk"),
                "what was on the spare before")
    conditions = dm.status()["conditions"]
    check("spare-full" not in conditions and "device-resized" not in conditions, conditions)


def _used_mib(dm):
    """As far as the spare is in use, by its room for data."""
    capacity = dm.status()["spares"][0]["capacity_sectors"]
    grown = SIGNPOSTS if capacity != CAPACITY else 0
    return (capacity + 8 * 1024 + grown) * SECTOR // MIB


def _sizes(done):
    return done["size_before_sectors"] * SECTOR // MIB, done["size_sectors"] * SECTOR // MIB


def image_that_runs(t):
    _, dm = _full(t)
    shown = " ".join(dm.run("status", dm.name, expect=4).out.split())
    check(f"dmremap spare grow {dm.name}" in shown, f"status names the way out: {shown}")
    done = dm.run("spare", "grow", dm.name, "--size", "24MiB", "--json").json()
    equal((_sizes(done), done["running"]), ((16, 24), True), "sizes")
    equal(os.stat(dm.spare).st_size, 24 * MIB, "the file")
    check(os.stat(dm.spare).st_blocks * 512 >= 24 * MIB, "its room is reserved")
    _expect_room(dm)
    equal([e["text"] for e in dm.events("spare-grown")], ["24 MiB, before 16 MiB"], "the event")
    equal(dm.status()["spares"][0]["capacity_sectors"], CAPACITY + 8 * MIB // SECTOR - SIGNPOSTS,
          "capacity")
    # A kill now, and the room is still there.
    dm.kill()
    dm.start("fuse")
    equal_bytes(support.read_sectors(dm.device, BAD, 8), pattern(BAD, 8, "more room"), "after a kill")
    _expect_room(dm, BAD + 8)
    dm.stop()
    dm.start("fuse", by_devices=True)
    equal_bytes(support.read_sectors(dm.device, BAD, 8), pattern(BAD, 8, "more room"), "by devices")
    dm.stop()
    _expect_agreement(dm)


def _expect_agreement(dm):
    """Everything that looks at a set says the same of it."""
    dm.run("check", dm.spare, dm.main)
    equal(len(dm.run("events", dm.name, "--json").json()["events"]) > 0, True, "events")
    table = [line.split() for line in dm.run("table", dm.spare, dm.main).out.splitlines()]
    on_spare = [line for line in table if os.path.basename(dm.spare) in line[3]]
    check(max(int(line[4]) for line in on_spare) >= 16 * MIB // SECTOR, "the table names the new room")
    reader = support.run(sys.executable, os.path.join(support.ROOT, "tools/read-metadata"), "--table",
                         dm.spare).out
    equal(sum(int(line.split()[2]) for line in reader.splitlines() if line.startswith("remapped")),
          sum(int(line[1]) for line in on_spare), "sectors as the other reader sees them")
    status = dm.status()
    equal(status["spares"][0]["free_sectors"],
          status["spares"][0]["capacity_sectors"] - status["remapped_sectors"], "free, stopped")


def image_that_is_stopped(t):
    _, dm = _full(t)
    dm.stop()
    before = dm.status()["sequence"]
    done = dm.run("spare", "grow", dm.name, "--size", "24MiB", "--json").json()
    equal((_sizes(done), done["running"]), ((16, 24), False), "sizes")
    equal(dm.status()["sequence"], before + 1, "one commit")
    # It was stopped cleanly, and still is.
    dm.start("fuse")
    equal([e["text"] for e in dm.events("start")][-1], "", "the start after it")
    _expect_room(dm)
    dm.stop()
    _expect_agreement(dm)


def made_longer_by_others(t):
    _, dm = _full(t)
    os.truncate(dm.spare, 20 * MIB)
    support.wait_until(lambda: "device-resized" in dm.status()["conditions"], "device-resized")
    shown = " ".join(dm.run("status", dm.name, expect=4).out.split())
    check(f"Take over its new room. `dmremap spare grow {dm.name}`" in shown, shown)
    equal(_sizes(dm.run("spare", "grow", dm.name, "--json").json()), (16, 20), "sizes")
    support.wait_until(lambda: "device-resized" not in dm.status()["conditions"], "it is known")
    _expect_room(dm)
    # Another time, stopped.
    dm.stop()
    os.truncate(dm.spare, 24 * MIB)
    equal(_sizes(dm.run("spare", "grow", dm.spare, "--json").json()), (20, 24), "sizes")
    dm.start("fuse")
    _expect_room(dm, BAD + 8)
    dm.stop()


def pointed_out(t):
    """A spare that was longer already when the set came up: a note with the command to type, and no alarm."""
    dm = product.Product(t, t.image("main.img", 32 * MIB), t.path("noted.img"))
    dm.create("--spare-size", "16MiB")
    said = f"the spare is 8 MiB longer than what the set uses: `dmremap spare grow {dm.name}` takes that over"

    def expect(noted):
        shown = " ".join(dm.run("status", dm.name).out.split())
        equal(f"note {said}" in shown, noted, f"the note in: {shown}")
        equal(dm.status()["spares"][0]["growable_sectors"], 8 * MIB // SECTOR if noted else 0, "its room")
        check(dm.status()["conditions"] in (["healthy"], ["stopped"]), "nothing needs attention")

    expect(False)
    os.truncate(dm.spare, 24 * MIB)
    expect(True)
    started = dm.run("start", dm.name, "--export", "fuse")
    equal(started.err.splitlines(), [f"dmremap: warning: {dm.spare}: {said}"], "said by start")
    expect(True)
    dm.stop()
    equal(dm.run("start", dm.name, "--export", "fuse", "--json").json()["warnings"],
          [f"{dm.spare}: {said}"], "the same with --json")
    dm.run("spare", "grow", dm.name)
    expect(False)
    dm.stop()
    expect(False)
    equal(dm.run("start", dm.name, "--export", "fuse").err, "", "said when all of it is in use")
    dm.stop()
    # Nothing is taken over by a set that writes nothing.
    os.truncate(dm.spare, 32 * MIB)
    equal(dm.run("start", dm.name, "--export", "fuse", "--read-only").err, "", "said by a read-only start")
    dm.stop()


def loop_device(t):
    file = t.image("behind.img", 16 * MIB)
    loop = t.loop(file)
    _, dm = _full(t, spare=loop)
    os.truncate(file, 24 * MIB)
    done = dm.run("spare", "grow", dm.name, expect=3)
    check("no new room" in done.one_line_error(), f"the kernel does not know yet: {done}")
    done = dm.run("spare", "grow", dm.name, "--size", "24MiB", expect=2)
    check("block device" in done.one_line_error(), f"no image: {done}")
    support.run("losetup", "--set-capacity", loop)
    equal(_sizes(dm.run("spare", "grow", dm.name, "--json").json()), (16, 24), "sizes")
    _expect_room(dm)
    dm.stop()
    os.truncate(file, 32 * MIB)
    support.run("losetup", "--set-capacity", loop)
    equal(_sizes(dm.run("spare", "grow", dm.name, "--json").json()), (24, 32), "sizes")
    dm.start("fuse")
    _expect_room(dm, BAD + 8)
    dm.stop()


def copied_to_something_larger(t):
    _, dm = _full(t)
    dm.stop()
    larger = t.image("larger.img", 32 * MIB)
    with open(dm.spare, "rb") as source, open(larger, "r+b") as target:
        shutil.copyfileobj(source, target)
    os.unlink(dm.spare)
    dm.spare = larger
    # A longer spare is the spare, as it is.
    dm.start("fuse", by_devices=True)
    _expect_full(dm)
    dm.stop()
    equal(_sizes(dm.run("spare", "grow", larger, "--json").json()), (16, 32), "sizes")
    dm.start("fuse", by_devices=True)
    _expect_room(dm)
    dm.stop()
    _expect_agreement(dm)


def killed_in_the_middle(t):
    """kill -9 at any moment of it: the old size or the new one, and all data."""
    disk, dm = _full(t)
    dice = random.Random(7)
    size = 16
    for turn in range(6):
        size += 1
        growing = subprocess.Popen([support.DMREMAP, "spare", "grow", dm.name, "--size", f"{size}MiB",
                                    "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        time.sleep(dice.random() * 0.05)
        dm.kill()
        told = growing.communicate()[0]
        done = growing.returncode == 0 and told != b""
        dm.start("fuse")
        used = _used_mib(dm)
        check(used == size or not done, f"turn {turn}: {used} MiB in use after {size} were taken over")
        if used != size:
            dm.run("spare", "grow", dm.name, "--size", f"{size}MiB")
        _expect_room(dm, BAD + 8 * turn, f"turn {turn}")
        for before in range(turn):
            at = BAD + 8 * before
            equal_bytes(support.read_sectors(dm.device, at, 8), pattern(at, 8, f"turn {before}"),
                        "what was saved before")
    # The same without a set that runs: the verb itself is killed.
    dm.stop()
    for turn in range(6):
        size += 1
        growing = subprocess.Popen([support.DMREMAP, "spare", "grow", dm.spare, "--size", f"{size}MiB"],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(dice.random() * 0.1)
        growing.send_signal(signal.SIGKILL)
        growing.wait()
        dm.run("check", dm.spare, dm.main, expect=(0, 4))
        dm.run("spare", "grow", dm.spare, "--size", f"{size}MiB", expect=(0, 3))
    del disk
    dm.start("fuse")
    equal(_used_mib(dm), size, "the last size")
    equal_bytes(support.read_sectors(dm.device, BAD, 8), pattern(BAD, 8, "turn 0"), "at the end")
    dm.stop()


def refused(t):
    _, dm = _full(t)

    def expect_refused(code, *args, exit=3):
        before = os.stat(dm.spare).st_size, dm.status()["sequence"]
        done = dm.run("spare", "grow", *args, "--json", expect=exit)
        equal(done.error_json()["code"], code, f"the error of {done}")
        equal((os.stat(dm.spare).st_size, dm.status()["sequence"]), before, "nothing changed")

    expect_refused("device-too-small", dm.name)
    expect_refused("device-too-small", dm.name, "--size", "8MiB")
    expect_refused("no-space", dm.name, "--size", "8TiB", exit=1)
    expect_refused("device-too-large", dm.name, "--size", "8000000TiB")
    expect_refused("device-in-use", dm.spare)
    dm.run("spare", "grow", dm.name, "--size", "20MiB")
    dm.stop()
    # Cut off, it is refused until it has its size again.
    os.truncate(dm.spare, 16 * MIB)
    done = dm.start("fuse", expect=3).one_line_error()
    check("shrank from 40960 to 32768 sectors" in done, done)
    check("shrank" in dm.run("check", dm.spare, expect=4).out, "check says so")
    expect_refused("device-too-small", dm.spare)
    os.truncate(dm.spare, 20 * MIB)
    dm.start("fuse", "--read-only")
    expect_refused("read-only", dm.name, exit=1)
    dm.stop()
    dm.run("spare", "grow", dm.name, "--size", "64MiB")
    dm.start("fuse")
    _expect_room(dm)
    dm.stop()


def after_a_kill(t):
    """What a killed run left in memory is for the next start: the spare grows after that."""
    runtime = tempfile.mkdtemp(dir="/dev/shm")
    t.cleanup.push(shutil.rmtree, runtime, ignore_errors=True)
    t.runtime_dir = os.environ["DMREMAP_RUNTIME_DIR"] = runtime
    _, dm = _full(t)
    support.flush(dm.device)
    dm.kill()
    done = dm.run("spare", "grow", dm.name, "--size", "20MiB", expect=3)
    check("its process died" in done.one_line_error(), f"why: {done}")
    equal(os.stat(dm.spare).st_size, 16 * MIB, "the file")
    dm.start("fuse")
    dm.run("spare", "grow", dm.name, "--size", "20MiB")
    _expect_room(dm)
    dm.stop()


SITUATIONS = (image_that_runs, image_that_is_stopped, made_longer_by_others, pointed_out, loop_device,
              copied_to_something_larger, killed_in_the_middle, after_a_kill, refused)


def spare_grow(t):
    named = {situation.__name__: situation for situation in SITUATIONS}
    for name in sys.argv[1:] or named:
        print(name, flush=True)
        named[name](t)


support.run_test(spare_grow, root=True, fuse=True, loop=True)
