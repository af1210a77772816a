#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A set is named by its name, its UUID, the first digits of that, /dev/dm-remap/NAME and the node or
file at which it is served, to every verb; and verbs that take devices take a set."""

import os

import product
import support
from support import check, equal

# Each asks for the set and changes nothing.
OF_A_SET = [("status", "--json"), ("events", "--json"), ("explain", "64", "--json"), ("map", "--json"),
            ("table", "--json"), ("bad export", "-"), ("scrub", "status", "--json")]
OF_DEVICES = [("examine", "--json"), ("check", "--json"), ("repair", "--dry-run", "--json")]


def every_name(t):
    dm = product.Product(t, t.image("main.img", "16MiB"), t.path("spare.img"))
    dm.create("--spare-size", "16M")
    where = dm.start("block")
    uuid = dm.status()["uuid"]
    names = [uuid, uuid[:8], uuid[:4].upper(), f"/dev/dm-remap/{dm.name}", where,
             os.path.join(t.runtime_dir, f"{dm.name}.dev")]
    for verb, *rest in OF_A_SET + OF_DEVICES:
        def say(name):
            return dm.run(*verb.split(), name, *rest, expect=(0, 4)).out
        if verb in ("status", "events", "scrub"):  # which tell of time that passes
            for name in names:
                equal(support.json.loads(say(name)).get("name"), dm.name, f"{verb} {name}")
            continue
        expected = say(dm.name)
        for name in names:
            equal(say(name), expected, f"{verb} {name}")
    for name in names:
        dm.run("remap", name, "64-71")
        dm.run("unremap", name, "32KiB+4KiB")
    refused = dm.run("start", where, "--export", "fuse", "--json", expect=3).error_json()
    equal(refused["code"], "name-in-use", "start by its node: it runs already")
    dm.run("stop", where)
    check(not dm.is_running(), "stopped by its node")
    dm.run("status", f"/dev/dm-remap/{dm.name}")
    dm.run("start", uuid[:6], "--export", "fuse")
    dm.stop()


def wrong_names(t):
    dm = product.Product(t, t.image("other.img", "16MiB"), t.path("other.spare"))
    dm.create("--spare-size", "16MiB")
    for path, what in ((dm.main, "main"), (dm.spare, "the spare")):
        error = dm.run("status", path, "--json", expect=2).error_json()
        equal(error["what"], f"is {what} of the set {dm.name}, not the set's own device", "what it is")
        equal(error["hint"], f"name the set: {dm.name}", "what to do")
    for name in ("0123abcd", dm.name + "x"):
        equal(dm.run("status", name, "--json", expect=1).error_json()["code"], "not-running", name)


def devices_of_a_set(t):
    """examine, check, repair, resolve and release find the devices by the name of the set."""
    dm = product.Product(t, t.image("third.img", 16 * support.MIB + 19 * support.SECTOR),
                         t.path("third.spare"))
    dm.create("--spare-size", "16MiB")
    for situation in ("stopped", "running"):
        found = dm.run("examine", dm.name, "--json").json()
        equal([(one["role"], one["path"]) for one in found["devices"]],
              [("spare", dm.spare), ("main", dm.main)], f"devices of a set that is {situation}")
        equal(dm.run("check", dm.name, "--json").json()["problems"], [], situation)
        if situation == "stopped":
            dm.start("fuse")
    check("in use" in dm.run("release", dm.name, expect=3).err, "a set that runs is not released")
    dm.stop()
    os.rename(dm.main, dm.main + ".away")
    problems = dm.run("check", dm.name, "--json", expect=4).json()["problems"]
    equal(len(problems), 1, f"main is missed: {problems}")
    check("main is left out" in dm.run("examine", dm.name).err, "examine says so")
    # A file that is called as no set is, is a device as before.
    here = os.path.dirname(dm.spare)
    dm.run("examine", os.path.basename(dm.spare), cwd=here)
    dm.run("release", dm.name)
    equal(dm.run("check", dm.name, "--json", expect=1).error_json()["code"], "not-running", "released")


def several(t):
    sets = []
    for number in range(2):
        dm = product.Product(t, t.image(f"m{number}.img", "16MiB"), t.path(f"s{number}.img"))
        dm.create("--spare-size", "16MiB")
        dm.start("fuse")
        sets.append(dm)
    one, other = sets
    both = one.run("status", one.name, other.name, "--json").json()
    equal([entry["name"] for entry in both], [one.name, other.name], "status of both")
    events = one.run("events", one.name, other.name, "--json").json()["events"]
    equal({event["name"] for event in events}, {one.name, other.name}, "events of both")
    equal(sorted(events, key=lambda event: event["time"]), events, "in the order of time")
    done = one.run("stop", one.name, "none", other.name, "--json", expect=1)
    equal([entry["name"] for entry in done.json()["sets"]], [one.name, other.name], "stopped")
    equal(done.error_json()["code"], "not-running", "and the one that does not run is named")
    one.run("assemble", one.name, other.name, "--export", "fuse")
    equal(one.run("stop", "--all", "--json").json()["sets"],
          [{"name": name, "state": "stopped"} for name in sorted([one.name, other.name])], "all")


def names(t):
    for situation in (every_name, wrong_names, devices_of_a_set, several):
        situation(t)


support.run_test(names, root=True, fuse=True, loop=True)
