#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`start` of several sets, and of all that are known and stopped: a line each, those that can be
started are, the others are named with the reason, and the exit code is that of the worst."""

import os

import product
import support
from support import check, equal


def _sets(t, *names):
    out = []
    for name in names:
        dm = product.Product(t, t.image(f"{name}.img", "16MiB", fill=name), t.path(f"{name}.spare"),
                             name=f"{name}-{os.getpid()}")
        dm.create("--spare-size", "16MiB")
        out.append(dm)
    return out


def _states(*sets):
    return [dm.is_running() for dm in sets]


def start_several(t):
    one, two, three = _sets(t, "one", "two", "three")
    done = support.dmremap("start", one.name, two.name, "--export", "fuse")
    lines = dict(line.split(": ", 1) for line in done.out.splitlines())
    equal(sorted(lines), sorted([one.name, two.name]), "a line each")
    check(all(os.path.exists(where) for where in lines.values()), f"where each is: {lines}")
    equal(_states(one, two, three), [True, True, False], "what runs")
    equal(done.err, "", "stderr")

    # One that runs already is refused, and the other one is started all the same.
    done = support.dmremap("start", one.name, three.name, "--export", "fuse", expect=3)
    check("runs already" in done.err and one.name in done.err, f"why: {done}")
    equal(done.out.split(":")[0], three.name, "what was started")
    support.dmremap("stop", "--all")

    # --all: what does not run yet. Its exit code is that of the worst.
    one.start("fuse")
    done = support.dmremap("start", "--all", "--export", "fuse", "--json").json()
    equal(sorted(s["name"] for s in done["sets"]), sorted([two.name, three.name]), "all the others")
    equal(_states(one, two, three), [True] * 3, "what runs")
    equal(support.dmremap("start", "-a").out, "no set that is known here is stopped\n", "nothing")
    support.dmremap("stop", "-a")
    os.rename(two.main, two.main + ".away")
    done = support.dmremap("start", "-a", "--export", "fuse", expect=3)
    equal(len(done.err.splitlines()), 1, f"one reason: {done}")
    equal(_states(one, two, three), [True, False, True], "those that can be")
    os.rename(two.main + ".away", two.main)
    support.dmremap("stop", "-a")

    # What is of one set alone, and what cannot be meant, is said before anything is started.
    for wrong in (("--mount", t.path("m")), ("--socket", t.path("s")), ("--foreground",),
                  ("--accept-main", one.main), ("--accept-main-changed",), ("--export", "pigeon")):
        support.dmremap("start", one.name, two.name, *wrong, expect=2).one_line_error()
    for wrong in ((one.name, one.spare), (), ("--all", one.name)):
        support.dmremap("start", *wrong, expect=2).one_line_error()
    equal(_states(one, two, three), [False] * 3, "nothing was started")


support.run_test(start_several, fuse=True)
