#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fio writes and verifies the whole device while write errors come, single and in bursts: it sees
none of them, and everything is there after a restart from the devices alone."""

import random
import threading
import time

import product
import support
from support import MIB, check, equal


def faults_under_fio(t):
    disk = t.lab(size="96MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")

    chosen = random.Random(7)
    places = [(chosen.randrange(0, 96 * MIB // 512 - 300), chosen.choice((1, 3, 8, 200)))
              for _ in range(40)]

    def fail_sectors():
        for sector, count in places:
            disk.fault("write", f"{sector}+{count}")
            time.sleep(0.05)

    for sector, count in places[:10]:
        disk.fault("write", f"{sector}+{count}")
    injector = threading.Thread(target=fail_sectors)
    injector.start()
    job = product.fio(device, size=96 * MIB, options=["--rate_iops=,9000"])
    injector.join()
    equal(product.fio_errors(job), 0, "errors that fio met")

    status = dm.status()
    at_least = sum(count for _, count in places[:10]) // 2
    check(status["remapped_sectors"] >= at_least, f"the bad sectors were moved: {status}")
    equal(status["lost_sectors"], 0, "lost sectors")
    bad = {sector + i for sector, count in places for i in range(count)}
    check(status["remapped_sectors"] <= len(bad), f"only the bad sectors were moved: {status}")
    check(dm.events("remap"), "the events tell of it")

    dm.stop()
    device = dm.start("block", by_devices=True)
    equal(dm.status()["remapped_sectors"], status["remapped_sectors"], "remapped after a restart")
    equal(product.fio_errors(product.fio(device, size=96 * MIB, rw="read")), 0,
          "blocks not as fio wrote them")


support.run_test(faults_under_fio, root=True, fuse=True, loop=True, programs=["fio"])
