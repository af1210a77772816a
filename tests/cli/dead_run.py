#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A stale socket and a dead FUSE mount: the verbs say that nothing runs, and start clears them
away."""

import os

import product
import support
from support import check, equal
from untouched import refused


def dead_run(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    mount = t.path("elsewhere")
    dm.start("fuse", "--mount", mount)
    dm.kill()
    t.cleanup.push(lambda: support.run("umount", "--lazy", mount, expect=None))
    check(os.path.exists(os.path.join(t.runtime_dir, f"{dm.name}.sock")), "a stale socket")
    check(support.is_mounted(mount), "a dead mount")

    refused(t, "not-running", "stop", dm.name, exit=1)
    refused(t, "not-running", "remap", dm.name, "0", exit=1)
    refused(t, "not-running", "events", dm.name, "--follow", exit=1)
    equal(dm.status()["state"], "stopped", "state of a dead run")
    listed = dm.run("list", "--json", expect=4).json()["sets"]
    equal([(s["name"], s["state"], s["pid"]) for s in listed], [(dm.name, "stopped", None)], "list")

    # The next start, at another place, clears away both.
    where = dm.start("fuse")
    check(not support.is_mounted(mount), "the dead mount is gone")
    with open(where, "rb") as file:
        equal(file.read(512), support.pattern(0, seed=1), "what is served")
    dm.stop()

    # A set that does not answer because somebody else listens, or says nonsense, is one line too.
    refused(t, "not-running", "stop", dm.name, exit=1)
    with open(os.path.join(t.runtime_dir, f"{dm.name}.sock"), "w", encoding="ascii") as file:
        file.write("no socket")
    refused(t, "not-running", "stop", dm.name, exit=1)
    dm.start("fuse")
    dm.stop()


support.run_test(dead_run, fuse=True)
