#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 13, nobody is left in the dark: lost sectors, a dead process, a main that is not there, a
spare or a table that runs full. `status` says so in its first line and its conditions, and both
`status` and `list` exit with 4; `healthy` is said only where they exit with 0."""

import os

import product
import support
from support import MIB, SECTOR, check, equal


def say(t, dm, conditions, text, running=True):
    """What status and list say of the set."""
    shown = dm.run("status", dm.name, expect=4).out.splitlines()[0]
    check(shown.startswith(f"{dm.name}: {', '.join(conditions)} (") and text in shown,
          f"the first line of status: {shown}")
    status = dm.run("status", dm.name, "--json", expect=4).json()
    equal((status["state"], status["conditions"]), (conditions[0], conditions), "status --json")
    if not running:
        return
    line = next(line for line in dm.run("list", expect=4).out.splitlines()
                if line.startswith(dm.name + " "))
    check(all(word in line for word in [*conditions, text]), f"the line of list: {line}")
    listed = dm.run("list", "--json", expect=4).json()["sets"]
    one = next(entry for entry in listed if entry["name"] == dm.name)
    equal((one["state"], one["conditions"], one["needs_attention"]),
          (conditions[0], conditions, True), "list --json")


def lost_sectors(t):
    disk = t.lab(size="16MiB")
    disk.fault("read", "64+23")
    dm = product.Product(t, disk.path, t.path("lossy"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    dm.run("status", dm.name, expect=0)
    dm.run("list", expect=0)
    dm.run("remap", dm.name, "64+23")
    say(t, dm, ["degraded", "data-lost"], "23 sectors are lost or gone")
    dm.stop()
    say(t, dm, ["stopped", "data-lost"], "23 sectors are lost or gone", running=False)


def dead_process(t):
    dm = product.Product(t, t.image("dead.img", "16MiB"), t.path("dead"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("block")
    support.run("mkfs.ext4", "-q", device)
    point = t.mount(device, "with space")
    pid = dm.status()["pid"]
    dm.kill()
    text = (f"process {pid} is gone, still mounted on {point}: umount '{point}', "
            f"then dmremap start {dm.name}")
    say(t, dm, ["stopped", "died"], text)
    support.run("umount", "--lazy", point)
    support.wait_until(lambda: "still mounted" not in dm.status()["reason"], "unmounted")
    say(t, dm, ["stopped", "died"], f"process {pid} is gone: dmremap start {dm.name}")
    dm.start("fuse")
    dm.run("status", dm.name, expect=0)
    dm.stop()


def missing_main(t):
    # A size that no device of this machine has.
    main = t.image("missing.img", 16 * MIB + 13 * SECTOR)
    dm = product.Product(t, main, t.path("missing"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    dm.stop()
    dm.run("status", dm.name, expect=0)
    os.rename(main, main + ".away")
    say(t, dm, ["stopped", "main-missing"], f"main is not here: {main} is not there", running=False)
    os.rename(main + ".away", main)
    dm.run("status", dm.name, expect=0)


def little_room(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("small"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    spare = dm.status()["spares"][0]
    used = spare["capacity_sectors"] * 85 // 100
    dm.run("remap", dm.name, f"0+{used}")
    say(t, dm, ["degraded", "spare-low"], "of the spare is used")
    dm.stop()
    say(t, dm, ["stopped", "spare-low"], "of the spare is used", running=False)


def full_table(t):
    main = t.image("many.img", "64MiB")
    dm = product.Product(t, main, t.path("many"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")

    def mark(first, count):
        bad = t.path("bad")
        with open(bad, "w", encoding="ascii") as file:
            file.writelines(f"{first + 2 * i}\n" for i in range(count))
        dm.run("bad", "import", dm.name, bad, "--format", "badblocks", "--block-size", "512")

    mark(0, 9000)
    equal(dm.status()["conditions"], ["degraded", "data-lost"], "conditions below 90 %")
    mark(2 * 9000, 400)
    check("table-low" in dm.status()["conditions"], "the condition from 90 %")
    mark(2 * 9400, 800)
    say(t, dm, ["degraded", "data-lost", "table-full"], "the table is full")
    dm.stop()
    say(t, dm, ["stopped", "data-lost", "table-full"], "the table is full", running=False)


def conditions(t):
    for situation in (lost_sectors, dead_process, missing_main, little_room, full_table):
        situation(t)


support.run_test(conditions, root=True, fuse=True, loop=True, programs=("mkfs.ext4",))
