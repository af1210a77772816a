#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What every verb prints with --json, in health and in trouble, is as docs/schema says."""

import errno
import json
import os
import shutil
import subprocess

import golden
import product
import schemas
import seals
import support
from support import check, equal


def json_verbs():
    """["status"], ["bad", "import"], ...: whatever has --json, by the program's own account."""
    def below(path, verb):
        if any("--json" in option["names"] for option in verb["options"]):
            yield path
        for one in verb["verbs"]:
            yield from below([*path, one["name"]], one)
    return list(below([], support.dmremap("--describe").json()))


class Checked:
    """Runs verbs with --json and holds what they print to its schema."""

    def __init__(self):
        self.schemas = schemas.Schemas()
        self._verbs = sorted(json_verbs(), key=len, reverse=True)

    def run(self, *args, expect=0):
        verb = next(v for v in self._verbs if list(args[:len(v)]) == v)
        done = support.dmremap(*args, "--json", expect=expect)
        if done.out:
            self.schemas.check("-".join(verb), done.json())
        if done.err:
            self.error(done)
        check(done.out or done.err, f"says something: {done}")
        return done

    def error(self, done):
        done.one_line_error()
        self.schemas.check("error", json.loads(done.err))


def _running(t, checked):
    disk = t.lab(size="16MiB")
    name, spare = "shapes", t.path("spare.img")
    product.Product(t, disk.path, spare, name=name)
    checked.run("create", name, disk.path, spare, "--spare-size", "16MiB")
    checked.run("list")
    checked.run("status")
    checked.run("status", name)  # stopped, new
    checked.run("start", name, "--export", "fuse")
    checked.run("start", name, "--export", "fuse", expect=3)
    checked.run("list")
    checked.run("status")
    checked.run("remap", name, "2048+8")
    disk.fault("read", "4096+8")
    checked.run("remap", name, "4096+8")
    equal(checked.run("status", name, expect=4).json()["lost_sectors"], 8, "lost sectors")
    checked.run("events", name)
    _follow(t, checked, name)
    checked.run("retry", name)
    checked.run("spare", "grow", name, "--size", "20MiB")
    checked.run("spare", "grow", name, expect=3)
    checked.run("bad", "export", name, t.path("list.map"))
    checked.run("bad", "import", name, t.path("list.map"), "--dry-run")
    checked.run("bad", "import", name, t.path("nothing"), expect=1)
    checked.run("examine", spare, disk.path, expect=4)
    for action in ("pause", "resume", "stop", "start"):
        checked.run("scrub", name, action)
    checked.run("scrub", name, "status", expect=4)
    disk.fault("write", "2048+8")
    checked.run("unremap", name, "2048+8", expect=1)
    disk.clear()
    checked.run("unremap", name, "2048+8")
    # The scan reads now and then: without it nothing asks the disk while it is away.
    checked.run("scrub", name, "pause")
    support.wait_until(lambda: checked.run("scrub", name, "status", expect=(0, 4)).json()
                       ["scrub"]["state"] == "paused", "paused")
    disk.unplug()
    checked.run("status", name, expect=(0, 4))
    disk.replug()
    checked.run("scrub", name, "resume")
    checked.run("remap", name, "99999999", expect=2)
    checked.run("list", "-a", expect=(0, 4))
    checked.run("status", "--all", expect=(0, 4))
    checked.run("events")
    checked.run("stop", name)
    checked.run("stop", name, expect=1)
    checked.run("stop", "--all")
    return name, disk.path, spare


def _follow(t, checked, name):
    follower = subprocess.Popen([support.DMREMAP, "events", name, "--follow", "--json"],
                                stdout=subprocess.PIPE, text=True)
    t.cleanup.push(follower.kill)
    checked.schemas.check("events", json.loads(follower.stdout.readline()))
    follower.terminate()
    follower.wait()


def _stopped(checked, name, main, spare):
    checked.run("status", name, expect=4)
    checked.run("events", name)
    checked.run("report", name, "--html", "/dev/null")
    checked.run("start", name, "--export", "fuse", "--read-only")
    equal(checked.run("status", name, expect=4).json()["state"], "read-only", "state")
    checked.run("remap", name, "2048", expect=1)
    checked.run("stop", name)
    seals.overwrite(spare, b"\x5a" * 4096, seals.places(spare)[6:8])
    checked.run("check", spare, main, expect=4)
    checked.run("examine", spare, expect=4)
    checked.run("repair", spare, "--dry-run")
    checked.run("repair", spare)
    checked.run("spare", "grow", spare, "--size", "24MiB")
    checked.run("repair", spare)
    checked.run("resolve", spare, "--keep", "0000", expect=1)
    checked.run("release", spare, "--discard-data", "no", expect=3)
    checked.run("release", spare)
    checked.run("examine", spare, expect=1)
    checked.run("check", spare, expect=1)


def _damaged(t, checked):
    """Every golden image: doubtful, forked, torn, newer, unreadable."""
    for image in golden.images().values():
        spare = image.unpack(t)
        checked.run("examine", spare, expect=(0, 1, 3, 4))
        checked.run("check", spare, expect=(0, 1, 3, 4))
        checked.run("repair", spare, "--dry-run", expect=(0, 1, 3))
    spare = golden.images()["1/five-dead"].unpack(t)
    commit = support.dmremap("examine", spare, "--json", expect=4).json()["winner"]["commit"]
    checked.run("release", spare, expect=3)
    checked.run("resolve", spare, "--keep", commit, "--dry-run")
    checked.run("resolve", spare, "--keep", commit)


def _claimed(t, checked):
    dm = product.Product(t, t.image("claimed.img", "16MiB"), t.path("claimed.spare"), "claimed")
    checked.run("create", dm.name, dm.main, dm.spare, "--spare-size", "16MiB")
    checked.run("claims")
    checked.run("claims", "--root")
    checked.run("enable", dm.name)
    checked.run("claims", "--check", expect=(0, 4))
    checked.run("disable", dm.name)
    other = product.Product(t, t.image("other.img", "16MiB", fill=1), t.path("other.spare"), "other")
    other.create("--spare-size", "16MiB")
    checked.run("start", dm.name, other.name, "--export", "fuse")
    checked.run("stop", dm.name, other.name)
    _list(t, "run/claims.d/broken", "name = broken\n")
    checked.run("claims", "--check", expect=4)
    checked.run("enable", "broken", expect=3)
    checked.run("claims", "--forget", "broken")
    checked.run("claims", "--forget", dm.name)


def _list(t, name, text):
    with open(t.path(name), "w", encoding="ascii") as file:
        file.write(text)


def _tell(checked, dm, *sectors):
    for sector in sectors:
        checked.run("explain", dm.name, sector)
    checked.run("map", dm.name)
    checked.run("table", dm.name)


def _looked_at(t, checked):
    """Every state of a sector, of a set that runs, does not, may not write, or has lost main."""
    disk, spare = t.lab(size="16MiB"), t.lab(size="32MiB")
    dm = product.Product(t, disk.path, spare.path)
    dm.create()
    device = dm.start("fuse")
    _tell(checked, dm, 0, 32767)
    disk.fault("read", "2000+2")
    dm.run("remap", dm.name, "1000+8")
    at = checked.run("explain", dm.name, "1000").json()["where"]["sector"]
    spare.fault("read", at)
    dm.make_gone(disk, 3000)
    for sector in (1000, 2000):
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector)
    _list(t, "list.map", "# Mapfile\n0 ? 1\n0 5120000 ?\n5120000 512 -\n5120512 1024 /\n")
    checked.run("bad", "import", dm.name, t.path("list.map"))
    found = checked.run("map", dm.name).json()
    equal(sorted({one["state"] for one in found["ranges"]}),
          ["gone", "lost", "remapped", "suspect"], "states of the ranges")
    states = (0, 1000, 1001, 2000, 3000, 10000, 10001)
    _tell(checked, dm, *states)
    checked.run("explain", dm.name, "32768", expect=2)
    checked.run("map", dm.name, "--png", t.dir, expect=2)
    checked.run("map", dm.name, "--svg", t.path("map.svg"))
    checked.run("report", dm.name, "--html", t.path("page.html"))
    checked.run("report", dm.name, "--html", t.dir, expect=2)
    checked.run("table", dm.spare, disk.path)
    dm.stop()
    _tell(checked, dm, *states)
    checked.run("table", dm.spare, disk.path)
    dm.start("fuse", "--read-only")
    _tell(checked, dm, *states)
    dm.stop()
    device = dm.start("fuse")
    disk.unplug()
    with support.expect_errno(errno.EIO):
        support.read_sectors(device, 400)
    _tell(checked, dm, *states)


def _files(t, checked):
    dm = product.Product(t, t.image("files.img", "32MiB"), t.path("files.spare"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("block")
    support.run("mkfs.ext4", "-q", device)
    mount = t.mount(device)
    with open(os.path.join(mount, "file"), "wb") as file:
        file.write(bytes(support.MIB))
        os.fsync(file.fileno())
    equal(checked.run("files", dm.name, mount).json()["files"], [], "all is well")
    _list(t, "all.map", "# Mapfile\n0 ? 1\n0 33554432 /\n")
    dm.run("bad", "import", dm.name, t.path("all.map"))
    found = checked.run("files", dm.name, mount).json()
    check(found["files"] and found["in_no_file"]["ranges"], f"what all lies on: {found}")
    equal(checked.run("files", dm.name).json()["mount_point"], os.path.realpath(mount), "found by itself")
    of_file = checked.run("explain", dm.name, "--file", os.path.join(mount, "file")).json()
    equal(sum(one["sectors"] for one in of_file["ranges"]), 2048, "the sectors of the file")
    checked.run("explain", dm.name, "--file", t.path("all.map"), expect=2)
    checked.run("files", dm.name, t.dir, expect=2)
    checked.run("copy", dm.name, t.path("mounted.img"), expect=3)
    support.unmount(mount)
    dm.stop()
    checked.run("files", dm.name, mount, expect=1)


def _copied(t, checked):
    """What was lost, filled and copied."""
    disk = t.lab(size="16MiB")
    dm = product.Product(t, disk.path, t.path("copied.spare"))
    dm.create("--spare-size", "16MiB")
    disk.fault("read", "4096+8")
    disk.fault("read", "9000")
    dm.start("fuse")
    dm.run("remap", dm.name, "4096+8")
    dm.run("remap", dm.name, "9000")
    image = t.image("half.img", "16MiB")
    _list(t, "half.map", "# Mapfile\n0 ? 1\n0 4194304 +\n4194304 12582912 -\n")
    half = ("backfill", dm.name, image, "--mapfile", t.path("half.map"))
    checked.run(*half, "--dry-run")
    equal(checked.run(*half).json()["filled_sectors"], 8, "filled")
    checked.run("backfill", dm.name, t.image("short.img", "8MiB"), expect=3)
    target = t.path("copy.img")
    copied = checked.run("copy", dm.name, target).json()
    equal((copied["left_out"], copied["resumed_sectors"]), ([9000, 1], 0), "left out")
    check(checked.run("copy", dm.name, target).json()["resumed_sectors"] > 0, "resumed")
    checked.run("copy", dm.name, dm.spare, expect=3)
    checked.run("status", dm.name, expect=4)
    dm.stop()
    checked.run("backfill", dm.name, image, expect=1)
    checked.run("copy", dm.name, target, expect=1)
    checked.run("release", dm.spare, expect=3)
    released = checked.run("release", dm.spare, "--copied").json()
    equal((released["copied"], released["left_out_sectors"]), (True, 1), "released")


def _found(t, checked):
    # A size that no device of this machine has: nothing may be thought to be main while it is away.
    main = t.image("found.img", 16 * support.MIB + 17 * support.SECTOR)
    spare = t.path("found.spare")
    dm = product.Product(t, main, spare)
    dm.create("--spare-size", "16MiB")
    twin = t.path("twin.spare")
    shutil.copy(spare, twin)
    states = {}
    for devices in ((main, spare), (main,), (spare, t.image("other.img", "17MiB")), (spare, twin),
                    (spare, t.path("none")), (t.path("none"),)):
        found = checked.run("discover", *devices).json()
        states.update({one["state"]: one for one in found["sets"]})
    check({"whole", "wrong-main", "ambiguous"} <= states.keys(), f"states: {list(states)}")
    for image in golden.images().values():
        checked.run("discover", image.unpack(t), t.image("zeros.img", golden.MAIN_SIZE))
    os.rename(main, main + ".away")
    missing = checked.run("assemble", dm.name, "--export", "fuse", expect=3)
    equal(missing.json()["sets"][0]["outcome"], "not-started", "without main")
    equal(json.loads(missing.err)["error"]["code"], "missing-device", "and the error")
    os.rename(main + ".away", main)
    checked.run("assemble", "no-such-set", expect=3)
    checked.run("assemble", expect=2)
    checked.run("assemble", dm.name, "--export", "fuse")
    equal(checked.run("assemble", dm.name).json()["sets"][0]["outcome"], "running", "again")
    checked.run("discover", spare)
    dm.stop()


def _nbd(t, checked):
    dm = product.Product(t, t.image("nbd.img", "16MiB"), t.path("nbd.spare"))
    dm.create("--spare-size", "16MiB")
    checked.run("start", dm.name, "--export", "nbd", "--mount", t.path("nbd.file"), expect=2)
    started = checked.run("start", dm.name, "--export", "nbd", "--export", "fuse").json()
    equal([one["kind"] for one in started["exports"]], ["nbd", "fuse"], "exports beside each other")
    checked.run("stop", dm.name)
    started = checked.run("start", dm.name, "--export", "nbd").json()
    equal([one["kind"] for one in started["exports"]], ["nbd"], "exports")
    for verb in ("status", "events", "map"):
        checked.run(verb, dm.name)
    checked.run("report", dm.name, "--html", t.path("page.html"))
    checked.run("list", expect=(0, 4))  # a set whose disk is away still runs
    checked.run("copy", dm.name, t.path("by-nbd.img"), expect=1)
    checked.run("stop", dm.name)
    started = checked.run("assemble", dm.name, "--export", "nbd").json()
    equal(started["sets"][0]["exports"][0]["kind"], "nbd", "exports of assemble")
    checked.run("stop", dm.name)


def json_schemas(t):
    checked = Checked()
    name, main, spare = _running(t, checked)
    _stopped(checked, name, main, spare)
    _damaged(t, checked)
    for situation in (_looked_at, _files, _copied, _found, _nbd, _claimed):
        situation(t, checked)
    wanted = {"-".join(verb) for verb in json_verbs()} | {"error"}
    equal(sorted(wanted - checked.schemas.used), [], "verbs with --json that were not held to a "
          "schema: give them one in docs/schema and a situation here")
    equal(sorted(schemas.names() - wanted), [], "schemas of verbs that are not there")


support.run_test(json_schemas, root=True, fuse=True, loop=True, programs=["mkfs.ext4", "nbdkit"])
