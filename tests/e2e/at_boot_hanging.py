#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The deadline of a start at boot counts while a device hangs: what waits for the set goes on."""

import os
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


def at_boot_hanging(t):
    dm = product.Product(t, t.image("main.img", "16MiB"), t.image("own.spare", "16MiB"))
    dm.create()
    dm.run("enable", dm.name, "--wait", str(WAIT))

    said = _fails(dm)
    check("do not answer" in said and dm.main in said, f"names what hangs: {said}")
    equal(subprocess.run(["pgrep", "-f", f"start {dm.name} --at-boot"], stdout=subprocess.PIPE,
                         check=False).stdout, b"", "and leaves no process that looks")


support.run_test(at_boot_hanging, root=True, fuse=True)
