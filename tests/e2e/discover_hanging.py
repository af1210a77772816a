#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that hangs does not keep `discover` and `assemble` from the others: it is named as one that did
not answer in time, the exit code says that one was not looked at, and the rest is found and started."""

import json
import os
import subprocess
import time

import product
import support
from support import check, equal

DEADLINE = 2
# assemble looks again for what lacks the device, and waits longer then.
SECOND = 6 * DEADLINE
# An idle machine takes no time beside the deadline. A search that waited for the device waited 90 s.
SLACK = 60
SLOW = 120


def _hanging(path):
    return os.environ | {"LD_PRELOAD": os.environ["HANG_OPENS"], "HANG_OPENS_OF": path}


def _set(t, name):
    dm = product.Product(t, t.image(f"{name}.img", "16MiB", fill=len(name)), t.path(f"{name}.spare"))
    dm.create("--spare-size", "16MiB")
    return dm


def _alone(t, script):
    """Without the block devices of this machine, which may hold others' sets."""
    empty = t.path("no-devices")
    os.makedirs(empty, exist_ok=True)
    return ["unshare", "--mount", "--propagation", "slave", "sh", "-c",
            f'mount --bind "{empty}" /sys/class/block && exec "$@"', "sh", *script]


def _discover(t, one, other):
    stuck = t.image("stuck.img", "16MiB")
    began = time.monotonic()
    done = support.dmremap("discover", one.main, one.spare, stuck, other.spare, other.main, "--json",
                           "--deadline", DEADLINE, expect=1, env=_hanging(stuck))
    took = time.monotonic() - began
    check(DEADLINE <= took < DEADLINE + SLACK, f"by the deadline: {took:.1f} s")
    found = done.json()
    equal([(s["state"], s["main"], s["spare"]) for s in sorted(found["sets"], key=lambda s: s["name"])],
          [("whole", dm.main, dm.spare) for dm in sorted((one, other), key=lambda dm: dm.name)],
          "the others are found")
    silent = [(o["code"], o["where"]) for o in found["others"]]
    equal(silent, [("timeout", stuck)], "and the one is named")
    said = f"did not answer within {DEADLINE} s"
    check(said in found["others"][0]["what"], f"for what it is: {found['others']}")
    equal((done.error_json()["code"], done.error_json()["where"]), ("timeout", stuck), "it is an error")
    done = support.dmremap("discover", one.main, one.spare, stuck, "--deadline", DEADLINE, expect=1,
                           env=_hanging(stuck))
    check(f"{one.name}: whole" in done.out and said in done.one_line_error(), f"in words too: {done}")
    # It may be the main of a set that has none.
    found = support.dmremap("discover", one.spare, one.main, "--json", "--deadline", DEADLINE, expect=1,
                            env=_hanging(one.main)).json()
    equal([(s["state"], s["problem"]["where"]) for s in found["sets"]], [("missing-device", one.main)],
          "a set that lacks it says so")


def _copy_spare(dm):
    """Puts an older copy in the place of a spare: another file."""
    support.run("cp", dm.spare, dm.spare + ".copy")
    os.rename(dm.spare + ".copy", dm.spare)


def _assemble(t, one, other, copied):
    """`other` is started while `one`, whose main hangs, is waited for. So is `copied`: what hangs may be
    its spare itself."""
    _copy_spare(copied)
    began = time.monotonic()
    command = _alone(t, [support.DMREMAP, "assemble", "--all", "--export", "fuse", "--json", "--deadline",
                         str(DEADLINE)])
    log = t.path("errors")
    with open(log, "w", encoding="utf-8") as errors:
        assembling = subprocess.Popen(command, env=_hanging(one.main), stdout=subprocess.PIPE,
                                      stderr=errors, text=True)
    t.cleanup.push(assembling.kill)

    def said():
        with open(log, encoding="utf-8") as file:
            return file.read()
    support.wait_until(lambda: "looking again" in said(), "the second look", seconds=DEADLINE + SLACK)
    check(other.is_running(), "the other set is up by then")
    check(not copied.is_running(), "one whose spare may be a copy is not")
    equal(assembling.poll(), None, "while the one is waited for")
    out = assembling.communicate(timeout=600)[0]
    took = time.monotonic() - began
    check(DEADLINE + SECOND <= took < DEADLINE + SECOND + SLACK, f"longer at the second look: {took:.1f} s")
    equal({s["name"]: s["outcome"] for s in json.loads(out)["sets"]},
          {other.name: "started", one.name: "not-started", copied.name: "started"}, "outcomes")
    equal([o["where"] for o in json.loads(out)["others"]], [one.main], "what did not answer")
    check(assembling.returncode == 3 and "missing-device" in said(), f"and the error: {said()}")
    other.stop()
    copied.stop()


def _cannot_be_killed(t, one):
    """A thread in the kernel, which waits for an answer, does not keep the verb from ending."""
    disk = t.lab(size="16MiB")
    disk.fault(f"slow:{1000 * SLOW}", f"0+{16 * support.MIB // support.SECTOR}")
    began = time.monotonic()
    done = support.dmremap("discover", one.main, one.spare, disk.path, "--deadline", DEADLINE, expect=1)
    took = time.monotonic() - began
    check(took < SLOW, f"it has ended before the disk has answered: {took:.1f} s")
    check(f"{one.name}: whole" in done.out, f"and found the others: {done}")


def discover_hanging(t):
    one, other, copied = (_set(t, name) for name in ("one", "other", "copied"))
    _discover(t, one, other)
    _assemble(t, one, other, copied)
    _cannot_be_killed(t, one)


support.run_test(discover_hanging, root=True, fuse=True, programs=["unshare"])
