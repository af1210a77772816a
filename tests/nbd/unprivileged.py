#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary user makes, starts, uses and stops a set of images by NBD, and by FUSE where that may
be mounted; nothing needs root."""

import os
import shutil
import subprocess

import product
import support
from support import equal

_NOBODY = 65534


def unprivileged(t):
    os.chmod(t.dir, 0o755)
    for directory, source in (("bin", support.DMREMAP), ("lib", product.NBDKIT_RELAY_PLUGIN)):
        os.mkdir(t.path(directory), 0o755)
        shutil.copy(source, t.path(directory))
    program = t.path("bin", "dmremap")
    os.mkdir(t.path("home"), 0o700)
    shutil.move(t.image("main.img", "16MiB", fill="old"), t.path("home", "main.img"))
    shutil.move(t.random_file("source", "16MiB", seed=9), t.path("home", "source"))
    for name in ("", "main.img", "source"):
        os.chown(t.path("home", name), _NOBODY, _NOBODY)
    env = {**os.environ, "DMREMAP_RUNTIME_DIR": t.path("home", "run")}

    def run(*args, expect=0):
        done = subprocess.run(args, capture_output=True, text=True, env=env, timeout=300,
                              cwd=t.path("home"), user=_NOBODY, group=_NOBODY, extra_groups=[],
                              check=False)
        outcome = support.Outcome(args, done.returncode, done.stdout, done.stderr)
        support.check(expect is None or outcome.exit == expect, f"expected exit {expect}: {outcome}")
        return outcome

    run(program, "create", "mine", "./main.img", "./spare.img", "--spare-size", "16MiB")
    t.cleanup.push(run, program, "stop", "mine", expect=None)
    uri = run(program, "start", "mine", "--export", "nbd").out.strip()
    equal(product.socket_of(uri), t.path("home", "run", "mine.nbd"), "where it is served")
    run("nbdcopy", "./source", uri)
    run("nbdcopy", uri, "./copy")
    run("cmp", "./copy", "./source")
    run(program, "status", "mine")
    run(program, "stop", "mine")

    path = run(program, "start", "mine", "--export", "fuse").out.strip()
    run("cmp", path, "./source")
    run("dd", "if=/dev/zero", f"of={path}", "bs=64k", "count=1", "conv=notrunc,fsync")
    run(program, "stop", "mine")
    run("cmp", "-n", "65536", "./main.img", "/dev/zero")
    equal(support.mounts_below(t.dir), [], "mounts after stop")


support.run_test(unprivileged, root=True, fuse=True,
                 programs=["nbdkit", "nbdcopy", "fusermount3"])
