#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`-` is standard input or standard output where a verb takes a file; -q and -v say less and more;
a mistyped verb is answered with the one that was meant."""

import os

import product
import support
from support import check, equal


def streams(t):
    disk = t.lab(size="16MiB")
    dm = product.Product(t, disk.path, t.path("spare.img"))
    dm.run("create", dm.name, disk.path, dm.spare, "--spare-size", "16M", "--known-bad", "-",
           "--known-bad-format", "badblocks", "--known-bad-block-size", "512", input="64\n65\n")
    dm.start("fuse")
    equal(dm.run("status", dm.name, "--json", expect=4).json()["lost_sectors"], 2, "known from stdin")
    dm.run("bad", "import", dm.name, "-", "--format", "badblocks", "--block-size", "512", input="70\n")
    exported = dm.run("bad", "export", dm.name, "-", "--format", "badblocks", "--block-size", "512")
    equal(exported.out, "64\n65\n70\n", "nothing else on stdout")
    png = support.subprocess.run([support.DMREMAP, "map", dm.name, "--png", "-"], capture_output=True,
                                 check=True).stdout
    equal(png[:8], b"\x89PNG\r\n\x1a\n", "a picture")
    check(dm.run("map", dm.name, "--svg", "-").out.startswith("<?xml"), "a picture as text")
    for words in (["bad", "export", dm.name, "-"], ["map", dm.name, "--svg", "-"],
                  ["report", dm.name, "--html", "-"]):
        equal(dm.run(*words, "--json", expect=2).error_json()["code"], "usage", "not beside JSON")
    image = t.image("image.img", "16MiB")
    mapfile = "# Mapfile\n0 ? 1\n0 33280 +\n33280 16743936 -\n"
    filled = dm.run("backfill", dm.name, image, "--mapfile", "-", "--json", input=mapfile).json()
    equal(filled["filled_sectors"], 1, "by a mapfile from stdin")
    return dm


def since(t, dm):
    every = dm.run("events", dm.name, "--json").json()["events"]
    check(every, "there are events")
    for words in (["--since", "1h"], ["--since", "today"], ["--since", "2000-01-01"]):
        equal(dm.run("events", dm.name, *words, "--json").json()["events"], every, f"{words}")
    equal(dm.run("events", dm.name, "--since", "2100-01-01", "--json").json()["events"], [], "later")
    of_all = dm.run("events", "--json").json()["events"]
    equal([{k: v for k, v in one.items() if k != "name"} for one in of_all], every, "of all sets")
    there = {**os.environ, "TZ": "XYZ-5:30"}
    line = dm.run("events", dm.name, env=there).out.splitlines()[0]
    check("+0530 " in line, f"local time: {line}")
    check(all(one["time"].endswith("Z") for one in
              dm.run("events", dm.name, "--json", env=there).json()["events"]), "UTC for scripts")
    first = dm.run("events", env=there).out.splitlines()[0]
    equal(first, f"{dm.name}: {line}", "of all sets: the name before it")


def little_and_much(t, dm):
    uuid = dm.status()["uuid"]
    said = dm.run("-v", "status", uuid, expect=4).err
    equal(said, f"dmremap: {uuid} is the set {dm.name}\n", "-v: what a UUID means")
    equal(dm.run("status", uuid, "--verbose", expect=4).err, said, "after the verb, too")
    dm.stop()
    os.rename(dm.spare, dm.spare + ".away")
    check("warning" in dm.run("events").err, "a set without its spare is named")
    equal(dm.run("events", "-q").err, "", "-q: no warnings")
    os.rename(dm.spare + ".away", dm.spare)


def mistyped(t):
    for words, what in ((["statsu"], "no verb statsu; did you mean status?"),
                        (["-q", "lst", "-a"], "no verb lst; did you mean list?"),
                        (["help", "relese"], "no verb relese; did you mean release?"),
                        (["bad", "imprt", "x"], "no verb imprt; did you mean import?"),
                        (["frobnicate"], "no verb frobnicate; see `dmremap --help`")):
        line = support.dmremap(*words, expect=2).one_line_error()
        check(line.endswith(what), f"{words}: {line}")


def run(t):
    dm = streams(t)
    since(t, dm)
    little_and_much(t, dm)
    mistyped(t)


support.run_test(run, fuse=True)
