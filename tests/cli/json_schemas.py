#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What every verb prints with --json, in health and in trouble, is as docs/schema says."""

import json
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
    checked.run("bad", "export", name, t.path("list.map"))
    checked.run("bad", "import", name, t.path("list.map"), "--dry-run")
    checked.run("bad", "import", name, t.path("nothing"), expect=1)
    checked.run("examine", spare, disk.path, expect=4)
    disk.fault("write", "2048+8")
    checked.run("unremap", name, "2048+8", expect=1)
    disk.clear()
    checked.run("unremap", name, "2048+8")
    disk.unplug()
    checked.run("status", name, expect=(0, 4))
    disk.replug()
    checked.run("remap", name, "99999999", expect=2)
    checked.run("stop", name)
    checked.run("stop", name, expect=1)
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
    checked.run("start", name, "--export", "fuse", "--read-only")
    equal(checked.run("status", name, expect=4).json()["state"], "read-only", "state")
    checked.run("remap", name, "2048", expect=1)
    checked.run("stop", name)
    seals.overwrite(spare, b"\x5a" * 4096, seals.places(spare)[6:8])
    checked.run("check", spare, main, expect=4)
    checked.run("examine", spare, expect=4)
    checked.run("repair", spare, "--dry-run")
    checked.run("repair", spare)
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


def json_schemas(t):
    checked = Checked()
    name, main, spare = _running(t, checked)
    _stopped(checked, name, main, spare)
    _damaged(t, checked)
    wanted = {"-".join(verb) for verb in json_verbs()} | {"error"}
    equal(sorted(wanted - checked.schemas.used), [], "verbs with --json that were not held to a "
          "schema: give them one in docs/schema and a situation here")
    equal(sorted(schemas.names() - wanted), [], "schemas of verbs that are not there")


support.run_test(json_schemas, fuse=True)
