#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a host keeps of its sets: claims are written by create and start, follow a run, survive a
dead spare, and a damaged or foreign one starts nothing and loses nothing."""

import os
import shutil
import stat

import product
import support
from support import check, equal


def claim_path(t, dm):
    return os.path.join(t.runtime_dir, "claims.d", dm.name)


def claims(*options, expect=0):
    return {entry["file"]: entry for entry in
            support.dmremap("claims", "--json", *options, expect=expect).json()["claims"]}


def claim(t, dm):
    return claims()[claim_path(t, dm)]["claim"]


def edit(path, before, after):
    with open(path, encoding="utf-8") as file:
        text = file.read()
    check(before in text, f"{path} has {before!r}: {text}")
    with open(path, "w", encoding="utf-8") as file:
        file.write(text.replace(before, after, 1))


def made(t, name):
    disk = t.lab(size="16MiB")
    dm = product.Product(t, disk.path, t.path(f"{name}.spare"))
    dm.create("--spare-size", "16MiB")
    return dm, disk


def follows_a_run(t):
    dm, disk = made(t, "follows")
    new = claim(t, dm)
    equal((new["enabled"], new["served"], new["sectors_elsewhere"], new["hides_main"]),
          (False, False, 0, False), "a set that was created")
    equal(stat.S_IMODE(os.stat(claim_path(t, dm)).st_mode), 0o600, "root's alone")
    equal(new["main"]["path"], disk.path, "main")
    dm.start("fuse")
    check(claim(t, dm)["served"] and claim(t, dm)["hides_main"], "served: main is hidden")
    dm.kill()
    check(claim(t, dm)["hides_main"], "killed: still")
    dm.start("fuse")
    dm.run("remap", dm.name, "64+8")
    dm.stop()
    stopped = claim(t, dm)
    equal((stopped["served"], stopped["sectors_elsewhere"], stopped["hides_main"]),
          (False, 8, True), "data on the spare hides main")
    dm.start("fuse")
    dm.run("unremap", dm.name, "64+8")
    dm.stop()
    check(not claim(t, dm)["hides_main"], "all is back on main")
    dm.start("fuse", "--read-only")
    check(not claim(t, dm)["served"], "a look changes nothing")
    dm.stop()
    dm.run("release", dm.spare)
    equal(claims(), {}, "released")


def is_enabled_and_forgotten(t):
    dm, _ = made(t, "forgotten")
    uuid = dm.examine()["set"]["uuid"]
    dm.run("enable", dm.name)
    dm.start("fuse")
    check(claim(t, dm)["enabled"], "a start keeps what was chosen")
    refused = support.dmremap("claims", "--forget", uuid, "--json", expect=3).error_json()
    equal(refused["code"], "name-in-use", "not while it runs")
    dm.run("disable", uuid)
    dm.stop()
    check(not claim(t, dm)["enabled"], "and so does a stop")
    dm.run("enable", uuid)
    check(claim(t, dm)["hides_main"], "enabled")
    os.unlink(dm.spare)  # it is dead
    again = support.dmremap("create", dm.name, t.image("new.img", "16MiB"), t.path("new.spare"),
                            "--spare-size", "16MiB", "--json", expect=3).error_json()
    equal(again["code"], "name-in-use", "the name is claimed")
    support.dmremap("create", "next", dm.main, t.path("next.spare"), "--spare-size", "16MiB",
                    "--discard-data", uuid)
    equal(list(claims()), [os.path.join(t.runtime_dir, "claims.d", "next")],
          "what was given up for another set hides nothing")
    support.dmremap("claims", "--forget", "next")
    equal(claims(), {}, "forgotten")


def is_forgotten_without_its_spare(t):
    dm, _ = made(t, "dead")
    uuid = dm.examine()["set"]["uuid"]
    dm.run("enable", dm.name)
    os.unlink(dm.spare)
    support.dmremap("claims", "--forget", uuid)
    equal(claims(), {}, "forgotten without the spare")


def bad_claims(t):
    dm, disk = made(t, "bad")
    path = claim_path(t, dm)
    dm.run("enable", dm.name)
    shutil.copy(path, t.path("whole"))

    edit(path, "[end]", "")
    damaged = claims("--check", expect=4)[path]
    equal((damaged["claim"], damaged["problem"]["code"]), (None, "claim-damaged"), "half-written")
    for verb in ("enable", "disable"):
        equal(dm.run(verb, dm.name, "--json", expect=3).error_json()["code"], "claim-damaged", verb)
    warned = dm.run("start", dm.name, "--export", "fuse")
    check("is written anew" in warned.err, f"says so: {warned}")
    check(not claim(t, dm)["enabled"], "whether it was enabled is not known")
    dm.stop()

    shutil.copy(t.path("whole"), path)
    with open(path, encoding="utf-8") as file:
        host = next(line for line in file if line.startswith("machine-id"))
    edit(path, host, "machine-id = 00000000000000000000000000000001\n")
    if host.strip() != "machine-id =":
        foreign = claims("--check", expect=4)[path]
        check(foreign["claim"]["of_another_host"], f"another host's: {foreign}")
        equal(dm.run("enable", dm.name, "--json", expect=3).error_json()["code"],
              "claim-of-another", "enable")
        check("another host" in dm.run("start", dm.name, "--export", "fuse").err, "a start says so")
        mine = claim(t, dm)
        check(not mine["of_another_host"] and not mine["enabled"], f"taken over: {mine}")
        dm.stop()

    # Of another set by that name, whose main must stay hidden.
    uuid = dm.examine()["set"]["uuid"]
    edit(path, uuid, "00000000-0000-4000-8000-000000000001")
    before = open(path, encoding="utf-8").read()
    check("another set" in dm.run("start", dm.name, "--export", "fuse").err, "a start says so")
    dm.stop()
    equal(open(path, encoding="utf-8").read(), before, "it is left alone")

    os.unlink(path)
    os.rmdir(os.path.dirname(path))
    with open(os.path.dirname(path), "w", encoding="ascii") as file:
        file.write("in the way")
    check("main is not hidden" in dm.run("start", dm.name, "--export", "fuse").err,
          "what cannot be written is told")
    dm.stop()


def checked_against_devices(t):
    disk = t.loop(t.image("checked.img", "16MiB"))
    dm = product.Product(t, disk, t.path("checked.spare"))
    dm.create("--spare-size", "16MiB")
    path = claim_path(t, dm)
    found = [one["text"] for one in claims("--check", expect=(0, 4))[path]["findings"]]
    check(any(text == f"the spare is {dm.spare}" for text in found), f"the spare: {found}")
    check(any(text.startswith("main is ") and disk in text for text in found), f"main: {found}")
    support.run("mkfs.ext4", "-q", disk)
    dm.run("enable", dm.name)
    point = t.mount(disk)
    texts = [one["text"] for one in claims("--check", expect=4)[path]["findings"]
             if one["needs_attention"]]
    check(any(f"bare main is mounted: {disk} on {point}" in text for text in texts),
          f"mounted: {texts}")
    support.unmount(point)
    os.rename(dm.spare, dm.spare + ".away")
    texts = [one["text"] for one in claims("--check", expect=4)[path]["findings"]
             if one["needs_attention"]]
    check(any("spare is not here" in text for text in texts), f"spare: {texts}")


def all_claims(t):
    for situation in (follows_a_run, is_enabled_and_forgotten, is_forgotten_without_its_spare,
                      bad_claims, checked_against_devices):
        situation(t)
        shutil.rmtree(os.path.join(t.runtime_dir, "claims.d"), ignore_errors=True)
        if os.path.exists(os.path.join(t.runtime_dir, "claims.d")):
            os.unlink(os.path.join(t.runtime_dir, "claims.d"))


support.run_test(all_claims, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
