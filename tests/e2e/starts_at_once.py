#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Several sets that died come up at the same time, as after a reboot: each start looks at all
devices, the others' among them, and none may keep another from its own. A set stops meanwhile."""

import concurrent.futures

import product
import support
from support import equal

SETS = 5
ROUNDS = 3


def starts_at_once(t):
    sets = []
    for number in range(SETS):
        # Mains of one size: each start takes the others' devices for likely mains.
        dm = product.Product(t, t.loop(t.image(f"{number}.img", "48MiB")), t.path(f"{number}.spare"))
        dm.create("--spare-size", "16MiB")
        dm.start("block")
        sets.append(dm)
    stopping, *dying = sets
    with concurrent.futures.ThreadPoolExecutor(SETS) as pool:
        for number in range(ROUNDS):
            for dm in dying:
                dm.kill()
            jobs = [pool.submit(dm.start, "block", by_devices=number % 2 == 0) for dm in dying]
            stopping.stop()
            for job in jobs:
                job.result()
            stopping.start("block")
    for dm in sets:
        equal(dm.status()["state"], "healthy", f"state of {dm.name}")
        dm.stop()


support.run_test(starts_at_once, root=True, fuse=True, loop=True)
