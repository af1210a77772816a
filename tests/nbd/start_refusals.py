#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`start --export nbd` refuses as every start does, with one line and its exit code though another
process found it out; so are sockets that are somebody else's. A dead run's are cleared away."""

import fcntl
import os
import shutil
import signal
import socket

import product
import support
from support import check, equal
from untouched import refused


def start_refusals(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    paths = (main, dm.spare)
    by_nbd = ("--export", "nbd")
    refused(t, "missing-device", "start", "nosuchset", *by_nbd)
    refused(t, "missing-device", "start", main, *by_nbd, paths=paths)
    refused(t, "no-such-device", "start", main, t.path("none"), *by_nbd, exit=1, paths=paths)
    os.truncate(main, 15 << 20)
    refused(t, "main-resized", "start", dm.name, *by_nbd, paths=paths)
    t.image("main.img", "16MiB", fill=1)

    # Found out by the process that is to serve, after it was started.
    holder = os.open(main, os.O_RDONLY)
    fcntl.flock(holder, fcntl.LOCK_EX)
    error = refused(t, "device-in-use", "start", dm.name, *by_nbd, paths=paths)
    check(str(os.getpid()) in error["what"], f"names who: {error}")
    os.close(holder)

    # Places of exports that were not asked for.
    refused(t, "usage", "start", dm.name, *by_nbd, "--mount", t.path("m"), exit=2, paths=paths)
    refused(t, "usage", "start", dm.name, "--export", "fuse", "--socket", t.path("s"), exit=2,
            paths=paths)

    # Sockets.
    t.image("file", 512)
    refused(t, "file-exists", "start", dm.name, *by_nbd, "--socket", t.path("file"), paths=paths)
    refused(t, "usage", "start", dm.name, *by_nbd, "--socket", "/" + "x" * 120, exit=2, paths=paths)
    refused(t, "io", "start", dm.name, *by_nbd, "--socket", t.path("no", "dir"), exit=1,
            paths=paths)
    # In a directory of another user the socket could be exchanged for anything.
    if os.geteuid() == 0:
        os.mkdir(t.path("theirs"))
        os.chown(t.path("theirs"), 65534, 65534)
        error = refused(t, "permission", "start", dm.name, *by_nbd, "--socket",
                        t.path("theirs", "s"), exit=1, paths=paths)
        check(t.path("theirs") in error["what"], f"names the directory: {error}")
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(t.path("taken"))
        other.listen()
        refused(t, "device-in-use", "start", dm.name, *by_nbd, "--socket", t.path("taken"),
                paths=paths)

    # Nobody listens on that one any more.
    dm.start("nbd", "--socket", t.path("taken"))
    error = refused(t, "name-in-use", "start", dm.name, *by_nbd)
    check("runs already" in error["what"], f"says that it runs: {error}")
    # Started again at once, while the killed one still lets go of what it held.
    nbdkit = product.nbdkit_of(dm.status()["pid"])
    os.kill(nbdkit, signal.SIGSTOP)  # it would remove the socket
    dm.kill(wait=False)
    check(os.path.exists(t.path("taken")), "a killed run leaves its socket")
    os.kill(nbdkit, signal.SIGKILL)
    dm.start("nbd", "--socket", t.path("taken"), by_devices=True)
    dm.stop()
    equal(dm.is_running(), False, "running")

    # An nbdkit that does not start: the reason is its own, and nothing is left.
    os.mkdir(t.path("path"))
    with open(t.path("path", "nbdkit"), "w", encoding="utf-8") as file:
        file.write("#!/bin/sh\necho nbdkit: error: the moon is full >&2\nexit 1\n")
    os.chmod(t.path("path", "nbdkit"), 0o755)
    env = {**os.environ, "PATH": t.path("path") + ":" + os.environ["PATH"]}
    done = dm.start("nbd", expect=1, env=env)
    check("the moon is full" in done.one_line_error(), f"gives nbdkit's reason: {done}")
    equal(dm.is_running(), False, "running")
    check(not os.path.lexists(os.path.join(t.runtime_dir, f"{dm.name}.nbd")), "no socket is left")

    # A program without its plugin beside it.
    shutil.copy(support.DMREMAP, t.path("alone"))
    done = support.run(t.path("alone"), "start", dm.name, *by_nbd, expect=1)
    check("plugin" in done.one_line_error(), f"says what is missing: {done}")


support.run_test(start_refusals, programs=["nbdkit"])
