#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`nbdkit PLUGIN DEVICE...` without dmremap: refusals are seen before nbdkit goes to the background,
and a set that runs is one like any other."""

import json
import os

import nbd_client
import product
import support
from support import check, equal, equal_bytes, pattern
from untouched import untouched


def _nbdkit(t, *words, expect=0):
    return support.run("nbdkit", "--unix", t.path("sock"), "--pidfile", t.path("pid"),
                       support.NBDKIT_PLUGIN, *words, expect=expect)


def _refused(t, needle, *words, paths=()):
    with untouched(t, *paths):
        done = _nbdkit(t, *words, expect=1)
        check(needle in done.err, f"says {needle!r}: {done}")
        if os.path.exists(t.path("sock")):  # nbdkit's own, bound before
            os.unlink(t.path("sock"))
    return done


def _serves(dm):
    """nbdkit returns before the set is up; clients wait for it."""
    done = dm.run("status", dm.name, "--json", expect=None)
    return done.exit == 0 and done.json()["pid"] is not None


def by_hand(t):
    main = t.image("main.img", "16MiB", fill="old")
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    paths = (main, dm.spare)
    told = support.run("nbdkit", support.NBDKIT_PLUGIN, "--dump-plugin").out
    check("thread_model=parallel" in told, f"requests go side by side: {told}")

    _refused(t, "no set is named")
    _refused(t, "no such option", dm.name, "colour=red", paths=paths)
    _refused(t, "is neither true nor false", dm.name, "read-only=perhaps", paths=paths)
    _refused(t, "stale-ok needs read-only", dm.name, "stale-ok=true", paths=paths)
    _refused(t, "the spare of a set is missing", main, paths=paths)
    _refused(t, "no device with the metadata of this set", "nosuchset")
    os.rename(main, t.path("away"))
    _refused(t, "cannot open", main, dm.spare)
    os.rename(t.path("away"), main)

    # By name, then by devices relative to where it is called.
    for words, cwd in (((dm.name,), None), (("./spare.img", "device=./main.img"), t.dir)):
        support.run("nbdkit", "--unix", t.path("sock"), "--pidfile", t.path("pid"),
                    support.NBDKIT_PLUGIN, *words, cwd=cwd)
        support.wait_until(lambda: _serves(dm), "serving")
        status = dm.status()
        with open(t.path("pid"), encoding="utf-8") as file:
            equal(status["pid"], int(file.read()), "pid")
        equal([(e["kind"], product.socket_of(e["where"])) for e in status["exports"]],
              [("nbd", t.path("sock"))], "exports")
        second = support.run("nbdkit", "--unix", t.path("second"), support.NBDKIT_PLUGIN,
                                      dm.name, expect=1)
        check("runs already" in second.err, f"one at a time: {second}")
        with nbd_client.Client(t.path("sock")) as disk:
            equal_bytes(disk.read(512, 512), pattern(1, 1, "old"), "what is read")
        dm.run("remap", dm.name, "100+8")
        check(dm.events("remap"), "events")
        dm.stop()
        os.unlink(t.path("sock"))
    # For the time of one command.
    done = support.run("nbdkit", "-U", "-", support.NBDKIT_PLUGIN, *paths, "--run",
                       "nbdinfo --json $uri")
    equal(json.loads(done.out)["exports"][0]["export-size"], 16 << 20, "size")
    support.wait_until(lambda: not dm.is_running(), "ended with the command")


support.run_test(by_hand, programs=["nbdkit", "nbdinfo"])
