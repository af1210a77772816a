#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Everything but block devices works for an ordinary user with image files."""

import json
import os
import shutil
import subprocess

import support
from support import check, equal

_NOBODY = 65534


def unprivileged(t):
    program = t.path("dmremap")
    shutil.copy(support.DMREMAP, program)
    os.chmod(program, 0o755)
    t.image("main.img", "16MiB", fill=1)
    os.chmod(t.dir, 0o755)
    os.mkdir(t.path("home"), 0o700)
    shutil.move(t.path("main.img"), t.path("home", "main.img"))
    for where in (t.path("home"), t.path("home", "main.img")):
        os.chown(where, _NOBODY, _NOBODY)
    env = {**os.environ, "DMREMAP_RUNTIME_DIR": t.path("home", "run")}

    def run(*args, expect=0):
        done = subprocess.run([program, *args], capture_output=True, text=True, env=env, timeout=300,
                              cwd=t.path("home"), user=_NOBODY, group=_NOBODY, extra_groups=[],
                              check=False)
        outcome = support.Outcome([program, *args], done.returncode, done.stdout, done.stderr)
        check(expect is None or outcome.exit == expect, f"expected exit {expect}: {outcome}")
        return outcome

    run("create", "mine", "./main.img", "./spare.img", "--spare-size", "16MiB")
    t.cleanup.push(run, "stop", "mine", expect=None)
    # auto falls back to the FUSE file: loop devices are root's.
    where = run("start", "mine").out.strip()
    equal(where, t.path("home", "run", "mine.dev"), "where it is served")
    read = subprocess.run(["head", "-c", "512", where], capture_output=True, user=_NOBODY,
                          group=_NOBODY, extra_groups=[], check=False)
    equal(read.stdout, support.pattern(0, seed=1), "what is served")
    equal(os.stat(t.path("home", "run")).st_mode & 0o777, 0o700, "mode of the runtime directory")
    run("remap", "mine", "100+8")
    run("status", "mine")
    run("stop", "mine")
    equal(support.mounts_below(t.dir), [], "mounts after stop")
    run("start", "mine", "--export", "block", expect=1).one_line_error()
    equal(support.mounts_below(t.dir), [], "mounts after a start that failed")
    check(run("list").out == "", "nothing runs")

    # Another user's sets: not seen, and not as if there were none.
    hidden = t.path("of-root")
    os.mkdir(hidden, 0o700)
    env["DMREMAP_RUNTIME_DIR"] = hidden
    for verb in (["list"], ["status"], ["status", "theirs"], ["events", "theirs"]):
        error = run(*verb, expect=1).one_line_error()
        check(hidden in error and "permission denied" in error and "sudo" in error, error)
    equal(json.loads(run("list", "--json", expect=1).err)["error"]["code"], "permission", "as JSON")

    # Without a session there is a private directory, and one that somebody else made is not taken.
    del env["DMREMAP_RUNTIME_DIR"]
    env.pop("XDG_RUNTIME_DIR", None)
    env["DMREMAP_STATE_DIR"] = t.path("home", "state")
    private = f"/tmp/dmremap-{_NOBODY}"
    if not os.path.exists(private) and not os.path.exists(f"/run/user/{_NOBODY}"):
        t.cleanup.push(shutil.rmtree, private, ignore_errors=True)
        where = run("start", "./main.img", "./spare.img").out.strip()
        t.cleanup.push(run, "stop", "mine", expect=None)
        equal(os.path.dirname(where), private, "the private directory")
        equal(os.stat(private).st_mode & 0o777, 0o700, "its mode")
        check("mine" in run("list").out, "and is found again")
        run("stop", "mine")
        shutil.rmtree(private)
        os.mkdir(private, 0o777)
        error = run("start", "./main.img", "./spare.img", expect=1).one_line_error()
        check(private in error and "DMREMAP_RUNTIME_DIR" in error, error)


support.run_test(unprivileged, root=True, fuse=True)
