#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A loop device over a held image, over a held loop device, or beside one over the same bytes is no
way round the lock (promises 8 and 12); a view of other bytes of the same file is."""

import os

import product
import support
from support import check, equal


def refused(*args):
    error = support.dmremap(*args, "--json", expect=3).error_json()
    equal(error["code"], "device-in-use", f"{args}")


def held_below(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    uuid = support.dmremap("examine", dm.spare, "--json").json()["set"]["uuid"]

    # The set runs on the images.
    dm.start("fuse", by_devices=True)
    main_loop, spare_loop = t.loop(main), t.loop(dm.spare)
    again = t.loop(spare_loop)
    for spare in (spare_loop, again):
        refused("repair", spare)
        refused("release", spare, "--discard-data", uuid)
    other_runtime = dict(os.environ, DMREMAP_RUNTIME_DIR=t.path("other"))
    done = support.dmremap("start", main_loop, spare_loop, "--export", "fuse", expect=3,
                           env=other_runtime)
    done.one_line_error()
    dm.run("remap", dm.name, "1000+8")
    dm.stop()

    # The set runs on the loop devices.
    on_loops = product.Product(t, main_loop, spare_loop, name=dm.name)
    on_loops.start("fuse", by_devices=True)
    for spare in (dm.spare, again, t.loop(dm.spare)):
        refused("release", spare, "--discard-data", uuid)
    on_loops.run("remap", dm.name, "2000+8")
    on_loops.stop()
    support.dmremap("check", spare_loop)

    # Two parts of one file are two devices.
    disk = t.path("disk.img")
    with open(disk, "wb") as file:
        file.truncate(64 * support.MIB)
    parts = []
    for part in (0, 1):
        done = support.run("losetup", "--find", "--show", "--offset", str(part * 32 * support.MIB),
                           "--sizelimit", str(32 * support.MIB), disk)
        parts.append(done.out.strip())
        t.cleanup.push(support.detach_loop, parts[-1], only_over=support.loop_backing(parts[-1]))
    both = product.Product(t, parts[0], parts[1])
    both.create()
    both.start("fuse", by_devices=True)
    check(both.is_running(), "a set on two parts of one file runs")
    both.stop()


support.run_test(held_below, root=True, fuse=True, loop=True)
