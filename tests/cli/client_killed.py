#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`remap` of a large range takes minutes. When it is killed the work ends at its next step instead of
going on for nobody, and a `stop` that comes meanwhile is not held up: whoever still waits for the
remap is told how far it came."""

import subprocess
import time

import product
import support
from support import check, equal

RANGE = "40960+65536"  # away from what a stop reads of main
SLOW_MS = 1000  # of each read: all of the range would take minutes


def started(dm):
    client = subprocess.Popen([support.DMREMAP, "remap", dm.name, RANGE], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    support.wait_until(lambda: dm.status()["remapped_sectors"] > 0, "the first step")
    return client


def client_killed(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "128MiB")
    dm.start("fuse")
    disk.fault(f"slow:{SLOW_MS}", RANGE)

    client = started(dm)
    client.kill()
    client.communicate()
    time.sleep(3 * SLOW_MS / 1000)
    done = dm.status()["remapped_sectors"]
    time.sleep(4 * SLOW_MS / 1000)
    equal(dm.status()["remapped_sectors"], done, "sectors remapped for a client that is gone")

    client = subprocess.Popen([support.DMREMAP, "remap", dm.name, RANGE], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    support.wait_until(lambda: dm.status()["remapped_sectors"] > done, "a step of the second")
    begun = time.monotonic()
    dm.stop()
    took = time.monotonic() - begun
    check(took < 15 * SLOW_MS / 1000, f"stop took {took:.1f} s")
    out, err = client.communicate(timeout=20)
    equal(client.returncode, 1, "exit of the remap")
    check("before sector" in err, f"says how far it came: {out} {err}")


support.run_test(client_killed, root=True, fuse=True)
