#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The verdict on a disk: what the set saw itself counts at once, is said in the first lines of
`status`, running or stopped, and outlasts a restart and a kill. A smartctl that is missing, hangs or
prints rubbish is a line of `status` and nothing else."""

import os
import stat
import time

import product
import support
from support import check, equal

# A restart of the set takes no longer than this, whatever smartctl does.
SOON_S = 60


def health(dm):
    return dm.status()["health"]


def codes(dm):
    return [reason["code"] for reason in health(dm)["reasons"]]


def what_the_set_sees(t):
    disk = t.lab(size="16MiB")
    disk.fault("read", "64+3")
    dm = product.Product(t, disk.path, t.path("seen"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("fuse")
    equal(health(dm)["verdict"], "unknown", "a new set knows nothing")
    dm.run("remap", dm.name, "4096+8")
    equal(health(dm)["verdict"], "unknown", "what a user moves is not the disk's doing")
    try:
        support.read_sectors(device, 64)
        check(False, "a bad sector was read")
    except OSError:
        pass
    equal(health(dm)["verdict"], "watch", "at once")
    dm.stop()
    stopped = health(dm)
    equal(stopped["verdict"], "watch", f"stopped: {stopped}")
    equal(stopped["smart"], None, "nobody asks the drive of a stopped set")
    dm.start("fuse")
    equal(health(dm)["verdict"], "watch", "after a restart")
    check("bad-growing" in codes(dm), f"the reason: {codes(dm)}")
    lines = dm.run("status", dm.name, expect=4).out.splitlines()
    check(lines[1].strip().startswith("disk ") and "watch: " in lines[1], f"status: {lines[:3]}")
    dm.kill()
    equal(health(dm)["verdict"], "watch", "after a kill")
    dm.start("fuse")
    equal(health(dm)["verdict"], "watch", "after the start that follows")
    dm.stop()


def smartctl_as(t, script):
    """A smartctl that is found before any other."""
    directory = t.path("bin")
    os.makedirs(directory, exist_ok=True)
    program = os.path.join(directory, "smartctl")
    with open(program, "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\n" + script + "\n")
    os.chmod(program, stat.S_IRWXU)
    return directory


def bad_smartctl(t):
    dm = product.Product(t, t.loop(t.image("asked.img", "16MiB")), t.path("asked"))
    dm.create("--spare-size", "16MiB")
    asked = t.path("asked.with")
    dm.start("fuse")
    support.wait_until(lambda: health(dm)["smart"]["state"] != "not-asked", "asked")
    check("detect device type" in health(dm)["smart"]["reason"], f"the real one: {health(dm)}")
    dm.stop()
    path = os.environ["PATH"]
    for script, state, words in (
            ("echo rubbish", "unreadable", ""),
            ("kill -9 $$", "no-answer", "signal 9"),
            (f"echo $$ > {asked}; exec sleep 1000", "not-asked", "")):
        os.environ["PATH"] = smartctl_as(t, script) + ":" + path
        dm.start("fuse")
        if state == "not-asked":
            support.wait_until(lambda: os.path.exists(asked), "smartctl runs")
        else:
            support.wait_until(lambda s=state: health(dm)["smart"]["state"] == s, f"SMART {state}")
            check(words in health(dm)["smart"]["reason"], health(dm)["smart"])
        equal(health(dm)["smart"]["believed"], False, "it is not believed")
        check(any("SMART" in line for line in dm.run("status", dm.name).out.splitlines()),
              "status says so")
        begun = time.monotonic()
        dm.stop()
        check(time.monotonic() - begun < SOON_S, "a stop does not wait for smartctl")
    with open(asked, encoding="ascii") as file:
        check(not product.is_alive(int(file.read())), "no smartctl is left behind")
    os.environ["PATH"] = path


def verdict(t):
    what_the_set_sees(t)
    bad_smartctl(t)


support.run_test(verdict, root=True, fuse=True, loop=True, programs=["smartctl"])
