#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""assemble starts what is whole and says of all else why not."""

import os

import product
import support
from support import check, equal

# No device of a test beside this one has it: a main that is away is looked for among all block
# devices of its size.
SIZE = 16 * support.MIB + (os.getpid() % 997 + 1) * 8 * support.KIB


def _alone(t, *args, expect=0):
    """With no block device in sight: other tests' sets, or this machine's own, are not ours to
    start. What the processes mount is seen by them alone."""
    empty = t.path("no-devices")
    os.makedirs(empty, exist_ok=True)
    script = 'mount --bind "$1" /sys/class/block && shift && exec "$@"'
    return support.run("unshare", "--mount", "--propagation", "slave", "sh", "-c", script, "sh",
                       empty, support.DMREMAP, "assemble", *args, expect=expect)


def _set(t, number):
    main = t.image(f"main{number}.img", SIZE, fill=number)
    dm = product.Product(t, main, t.path(f"spare{number}.img"))
    dm.create("--spare-size", "16MiB")
    return dm


def _by_outcome(done):
    return {entry["name"]: entry["outcome"] for entry in done.json()["sets"]}


def _all(t):
    whole, broken, wrong = _set(t, 1), _set(t, 2), _set(t, 3)
    os.rename(broken.main, broken.main + ".away")
    # Another disk lies where the main was.
    os.truncate(wrong.main, 8 * support.MIB)
    done = _alone(t, "--all", "--export", "fuse", "--json", expect=3)
    equal(_by_outcome(done), {whole.name: "started", broken.name: "not-started",
                              wrong.name: "not-started"}, "outcomes")
    codes = {e["name"]: e["error"]["code"] for e in done.json()["sets"] if e["error"]}
    equal(codes, {broken.name: "missing-device", wrong.name: "main-resized"}, "reasons")
    check(whole.is_running() and not broken.is_running(), "what runs")
    started = next(e for e in done.json()["sets"] if e["name"] == whole.name)
    equal([e["kind"] for e in started["exports"]], ["fuse"], "exports")

    equal(done.error_json()["code"], "missing-device", "and an error that counts them")
    done = _alone(t, "--all", "--export", "fuse", expect=3)
    check("2 of 3 sets were not started" in done.one_line_error(), f"sums it up: {done}")
    text = done.out
    check(f"{whole.name}: runs already" in text, text)
    check(f"{broken.name}: not started: " in text, text)
    os.rename(broken.main + ".away", broken.main)
    os.truncate(wrong.main, SIZE)
    done = _alone(t, "--all", "--export", "fuse", "--json")
    equal(_by_outcome(done), {whole.name: "running", broken.name: "started",
                              wrong.name: "started"}, "now all of them")
    for dm in (whole, broken, wrong):
        dm.stop()
    return whole


def _name_before_prefix(t, dm):
    """A set may be called what the UUID of another begins with: the word means it alone."""
    uuid = next(one["uuid"] for one in support.dmremap("discover", "--json").json()["sets"]
                if one["name"] == dm.name)
    other = product.Product(t, t.image("main4.img", SIZE, fill=4), t.path("spare4.img"), name=uuid[:8])
    other.create("--spare-size", "16MiB")
    done = support.dmremap("assemble", uuid[:8], "--export", "fuse", "--json")
    equal(_by_outcome(done), {other.name: "started"}, "the set of that name")
    check(not dm.is_running(), "and no other")
    other.stop()
    done = support.dmremap("assemble", uuid[:9], "--export", "fuse", "--json")
    equal(_by_outcome(done), {dm.name: "started"}, "by its UUID")
    dm.stop()


def _one(t, dm):
    text = support.dmremap("assemble", dm.name, "--export", "fuse", "--read-only").out
    check(text.startswith(f"{dm.name}: started /"), text)
    check("read-only" in dm.status()["conditions"], "options are passed on")
    support.dmremap("assemble", dm.name)
    dm.stop()
    os.rename(dm.main, dm.main + ".away")
    done = support.dmremap("assemble", dm.name, expect=3)
    equal((done.out, "main device was not found" in done.one_line_error()), ("", True), done)
    os.rename(dm.main + ".away", dm.main)
    done = support.dmremap("assemble", "no-such-set", "--json", expect=3)
    equal(done.error_json()["code"], "missing-device", "no such set")
    for args in ([], ["--all", dm.name], ["--all", "--export", "tape"]):
        support.dmremap("assemble", *args, expect=2).one_line_error()


def assemble(t):
    whole = _all(t)
    _name_before_prefix(t, whole)
    _one(t, whole)


support.run_test(assemble, root=True, fuse=True, programs=["unshare"])
