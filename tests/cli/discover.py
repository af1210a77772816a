#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""discover names the sets that there are, the devices that belong to them, and why one is not
whole; it writes nothing."""

import os
import re
import shutil

import product
import seals
import support
from support import check, equal
from untouched import untouched


def _discover(t, *devices, paths=()):
    with untouched(t, *devices, *paths):
        return support.dmremap("discover", *devices, "--json").json()


def _only(found):
    equal(len(found["sets"]), 1, f"sets found: {found}")
    return found["sets"][0]


def _named(t, dm, other):
    found = _only(_discover(t, dm.main, dm.spare))
    equal((found["name"], found["state"], found["spare"], found["main"], found["problem"]),
          (dm.name, "whole", dm.spare, dm.main, None), "whole")
    equal([(m["path"], m["likeness"], m["chosen"]) for m in found["mains"]],
          [(dm.main, "same", True)], "its main")

    found = _only(_discover(t, dm.spare, other))
    # Nothing speaks for it, or the name of its file speaks against it.
    check(found["state"] in ("wrong-main", "main-unproven"), f"another main: {found}")
    equal(found["main"], None, "another main")
    check("size" in found["problem"]["what"] or "sectors" in found["problem"]["what"],
          f"says why: {found}")
    check(found["mains"][0]["reason"] and not found["mains"][0]["chosen"], f"says why: {found}")

    twin = t.path("twin.img")
    shutil.copy(dm.spare, twin)
    found = _only(_discover(t, dm.main, dm.spare, twin))
    equal((found["state"], found["spare"], found["spares"]), ("ambiguous", None, [dm.spare, twin]))
    os.unlink(twin)
    equal(_discover(t, dm.main), {"json_version": 1, "sets": [], "others": []}, "main alone")


def _damaged(t, dm):
    doubtful = t.path("doubtful.img")
    shutil.copy(dm.spare, doubtful)
    seals.overwrite(doubtful, bytes(4096), seals.places(doubtful)[10:])
    found = _only(_discover(t, doubtful, dm.main))
    equal((found["state"], found["main"]), ("metadata-doubtful", dm.main), "doubtful")
    check("unsettled" in found["problem"]["what"], found)
    broken = t.path("broken.img")
    shutil.copy(dm.spare, broken)
    seals.overwrite(broken, b"x" * 512 + bytes(3584), seals.places(broken))
    found = _discover(t, broken)
    check(found["sets"] == [], found)
    text = support.dmremap("discover", broken)
    equal(text.out, "no sets found\n", "text")
    found = _discover(t, broken, t.path("nowhere"))
    check(any(o["where"] == t.path("nowhere") and o["code"] == "no-such-device"
              for o in found["others"]), f"what cannot be looked at is named: {found}")


def _pairs(t):
    """Whatever a path holds, a line is a set and safe to eval."""
    directory = t.path('a "b" $(touch pwned)\n`c`\\')
    os.mkdir(directory)
    main = t.image(os.path.join(directory, "main"), "16MiB")
    dm = product.Product(t, main, os.path.join(directory, "spare"))
    dm.create("--spare-size", "16MiB")
    out = support.dmremap("discover", dm.spare, main, "--pairs").out
    lines = out.splitlines()
    equal(len(lines), 1, f"lines: {out!r}")
    pairs = dict(re.findall(r'([A-Z]+)="([^"]*)"', lines[0]))
    equal(set(pairs), {"NAME", "UUID", "STATE", "SPARE", "MAIN", "REASON"}, "keys")
    check(not re.search(r"[`$\n]", lines[0]), f"nothing for a shell: {lines[0]}")
    decoded = re.sub(r"\\x([0-9a-f]{2})", lambda m: chr(int(m[1], 16)), pairs["MAIN"])
    equal((pairs["NAME"], pairs["STATE"], decoded), (dm.name, "whole", main), "values")
    support.dmremap("discover", dm.spare, "--pairs", "--json", expect=2)


def _running(t, dm):
    dm.start("fuse", by_devices=True)
    found = _only(support.dmremap("discover", dm.spare, "--json").json())
    equal((found["name"], found["state"], found["problem"]), (dm.name, "running", None), "running")
    dm.stop()


def _what_a_start_would_find(t, dm):
    """A main that was used by itself, a spare that was cut off."""
    dm.start("fuse", by_devices=True)
    dm.run("remap", dm.name, "2048+8")
    dm.stop()
    with open(dm.main, "r+b") as file:
        file.seek(1024)
        before = file.read(512)
        file.seek(1024)
        file.write(b"fsck was here".ljust(512))
    equal(_only(_discover(t, dm.spare, dm.main))["state"], "main-changed", "main was written to")
    with open(dm.main, "r+b") as file:
        file.seek(1024)
        file.write(before)
    os.truncate(dm.spare, 20 * support.MIB)
    equal(_only(_discover(t, dm.spare, dm.main))["state"], "device-too-small", "a spare cut off")


def _everywhere(t):
    """On block devices, by their contents; and images where a set was last seen."""
    image = t.image("loop-main.img", "32MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    spare = t.image("loop-spare.img", "16MiB")
    dm = product.Product(t, t.loop(image), t.loop(spare))
    dm.create()
    found = [s for s in support.dmremap("discover", "--json").json()["sets"]
             if s["name"] == dm.name]
    equal([(s["state"], s["spare"], s["main"]) for s in found],
          [("whole", dm.spare, dm.main)], "on loop devices")
    check(found[0]["mains"][0]["confirmed"], found)
    text = support.dmremap("discover").out
    check(f"{dm.name}: whole" in text and "same; equal:" in text, text)
    support.detach_loop(dm.main)
    found = [s for s in support.dmremap("discover", "--json").json()["sets"]
             if s["name"] == dm.name]
    # The node stays, without a file: a device of another size lies where main was.
    equal([s["main"] for s in found], [None], "main is gone")
    check(found[0]["state"] in ("wrong-main", "main-unproven", "missing-device"), found)


def discover(t):
    main = t.image("main.img", "16MiB", fill=1)
    other = t.image("other.img", "17MiB")
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "24MiB")
    _named(t, dm, other)
    _damaged(t, dm)
    _pairs(t)
    _running(t, dm)
    _what_a_start_would_find(t, dm)
    _everywhere(t)


support.run_test(discover, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
