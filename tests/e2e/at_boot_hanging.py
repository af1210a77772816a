#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The deadline of a start at boot counts while a device hangs: what waits for the set goes on."""

import os
import signal
import subprocess
import time

import product
import support
from support import check, equal

WAIT = 2


def _hanging(path):
    return os.environ | {"LD_PRELOAD": os.environ["HANG_OPENS"], "HANG_OPENS_OF": path}


def _fails(dm):
    """As in an initramfs of Debian."""
    began = time.monotonic()
    start = dm.run("start", dm.name, "--at-boot", "--export", "fuse", expect=3, env=_hanging(dm.main))
    check(time.monotonic() - began >= WAIT, "not before the deadline")
    return start.err


def _goes_on(t, dm):
    """As the service runs it: what is ordered after it goes on. The disk answers after the deadline; what was
    told then stands, and is not taken back by what that look finds."""
    log = t.path("errors")
    answers = t.path("answers")
    os.mkfifo(answers)
    with open(log, "w", encoding="utf-8") as errors:
        start = subprocess.Popen(
            [support.DMREMAP, "start", dm.name, "--foreground", "--at-boot", "--export", "fuse"],
            env=_hanging(dm.main) | {"HANG_OPENS_UNTIL": answers}, stdout=subprocess.DEVNULL, stderr=errors)
    t.cleanup.push(start.kill)

    def says():
        with open(log, encoding="utf-8") as file:
            return "not served, for after 2 s a device is missing" in file.read()
    support.wait_until(says, "the deadline is told")
    t.cleanup.push(lambda answering=os.open(answers, os.O_RDWR): os.close(answering))
    time.sleep(3)
    with open(log, encoding="utf-8") as file:
        check("waiting for" not in file.read(), "the wait is announced before its end, or not at all")
    equal(start.poll(), None, "and the wait goes on")
    start.terminate()
    equal(start.wait(timeout=300), -signal.SIGTERM, "a signal ends it")


def at_boot_hanging(t):
    dm = product.Product(t, t.image("main.img", "16MiB"), t.image("own.spare", "16MiB"))
    dm.create()
    dm.run("enable", dm.name, "--wait", str(WAIT))

    said = _fails(dm)
    check("do not answer" in said and dm.main in said, f"names what hangs: {said}")
    equal(subprocess.run(["pgrep", "-f", f"start {dm.name} --at-boot"], stdout=subprocess.PIPE,
                         check=False).stdout, b"", "and leaves no process that looks")

    # While the spare is awaited main is held, which takes to open it.
    os.rename(dm.spare, dm.spare + ".away")
    check("do not answer" in _fails(dm), "main hangs, and the spare is awaited")
    _goes_on(t, dm)


support.run_test(at_boot_hanging, root=True, fuse=True)
