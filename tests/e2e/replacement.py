#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A start that takes a set over says what became of the process that served it: whether it handed the
set over, refused, or ended by itself. That users of a device go on is guest.ublk_replaced."""

import contextlib
import fcntl
import json
import os
import socket
import struct
import time

import product
import support
from support import check, equal

ENDED = "ended by itself and did not hand it over"


def _lock(path):
    """As control::PidFile does."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    fcntl.fcntl(fd, fcntl.F_OFD_SETLK, struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0))
    os.write(fd, f"{os.getpid()}\n".encode())


@contextlib.contextmanager
def _served_by_one_that(t, dm, answers):
    """A process in the place of the one that serves the set: asked to hand it over, it answers so, or
    not at all, and ends."""
    sock, pid_file = (os.path.join(t.runtime_dir, dm.name + suffix) for suffix in (".sock", ".pid"))
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(sock)
    listening.listen()
    child = os.fork()
    if child == 0:
        _lock(pid_file)
        link = listening.accept()[0]
        lines = link.makefile("rw", encoding="utf-8")
        asked = json.loads(lines.readline())
        if answers:
            print(json.dumps({"version": 1, "ok": False, "error": answers}), file=lines, flush=True)
            time.sleep(0.5)
        with contextlib.suppress(FileNotFoundError):
            os.unlink(pid_file)
        os._exit(0 if asked["verb"] == "hand-over" else 1)
    listening.close()
    support.wait_until(lambda: os.path.exists(pid_file) and os.path.getsize(pid_file), "it serves")
    yield
    equal(os.waitpid(child, 0)[1], 0, "it was asked, and has ended")


def replacement(t):
    dm = product.Product(t, t.image("main.img", "16MiB"), t.image("own.spare", "16MiB"))
    dm.create()

    replaced = ("start", dm.name, "--export", "fuse", "--replace")
    for answers in (None, {"code": "not-running", "what": "is being stopped", "where": dm.name, "hint": ""}):
        with _served_by_one_that(t, dm, answers):
            served = dm.run(*replaced, "--json")
        check(any(ENDED in text for text in served.json()["warnings"]), f"says so: {served}")
        check(os.path.exists(served.json()["exports"][0]["where"]), "and serves the set")
        dm.stop()

    check(ENDED not in dm.run(*replaced).err, "nobody served it")
    pid = dm.status()["pid"]
    refused = dm.run(*replaced, expect=1)
    check("hand" in refused.err, f"says that it was not handed over: {refused}")
    equal(dm.status()["pid"], pid, "and its process goes on")
    dm.stop()


support.run_test(replacement, root=True, fuse=True)
