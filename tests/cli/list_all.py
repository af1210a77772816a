#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`list -a` is a line for each set that is known here, with the columns that are asked for; `status`
is the same with what is wrong and what to do in words."""

import os
import re

import product
import support
from support import check, equal


def _sets(t):
    """A healthy set that runs, one that lost a sector, one that is stopped, one that died, and one
    without its main, one without its spare."""
    sets = {}
    disk = t.lab(size="16MiB")
    for name in ("healthy", "lossy", "stopped", "died", "headless", "spareless"):
        # A size that no device of this machine has.
        size = 16 * support.MIB + (21 + len(sets)) * support.SECTOR
        main = disk.path if name == "lossy" else t.image(f"{name}.img", size)
        sets[name] = product.Product(t, main, t.path(f"{name}.spare"))
        sets[name].create("--spare-size", "16MiB")
    for name in ("healthy", "lossy", "died"):
        sets[name].start("fuse")
    sets["died"].kill()
    disk.fault("read", "64+23")
    sets["lossy"].run("remap", sets["lossy"].name, "64+23")
    sets["healthy"].run("remap", sets["healthy"].name, "0-1023")
    os.rename(sets["headless"].main, sets["headless"].main + ".away")
    os.rename(sets["spareless"].spare, sets["spareless"].spare + ".away")
    return sets


def _rows(*args):
    done = support.dmremap("list", "-a", *args, expect=4)
    equal(done.err, "", "stderr of list")
    return [re.split(r"  +", line.strip()) for line in done.out.splitlines()]


def table(t, sets):
    rows = _rows()
    equal(rows[0], ["NAME", "STATE", "SIZE", "LOST", "REMAPPED", "SPARE-USE", "DEVICE"], "header")
    found = {row[0]: row for row in rows[1:]}
    equal({name: found[dm.name][1] for name, dm in sets.items()},
          {"healthy": "healthy", "lossy": "degraded", "stopped": "stopped", "died": "died",
           "headless": "incomplete", "spareless": "incomplete"}, "states")
    equal(found[sets["lossy"].name][2:5], ["16 MiB", "23", "0"], "what was lost")
    equal(found[sets["healthy"].name][3:5], ["0", "1024"], "what was remapped")
    equal(found[sets["healthy"].name][6], sets["healthy"].device, "where it is served")
    equal(found[sets["spareless"].name][2:], ["-"] * 5, "nothing is known without the spare")


def columns(t, sets):
    alone = support.dmremap("list", "-a", "--noheadings", "-o", "name", expect=0).out.splitlines()
    equal(alone, sorted(dm.name for dm in sets.values()), "names alone, without a look at devices")
    rows = _rows("--noheadings", "--bytes", "-S", "lost", "-o", "name,lost,size,free,used")
    lossy = sets["lossy"].status()["spares"][0]
    equal(rows[0], [sets["lossy"].name, "23", str(16 * support.MIB),
                    str(lossy["free_sectors"] * support.SECTOR), "0"], "the greatest loss first, in bytes")
    equal(rows[-1][:2], [sets["spareless"].name, "-"], "what is unknown last")
    equal([row[0] for row in _rows("--noheadings", "-s", "name", "-o", "+uuid")],
          sorted(dm.name for dm in sets.values()), "sorted by name")
    listed = support.dmremap("list", "-a", "--json", expect=4).json()["sets"]
    lost = {one["name"]: one["lost_sectors"] for one in listed}
    equal((lost[sets["lossy"].name], lost[sets["spareless"].name]), (23, None), "list -a --json")
    running = support.dmremap("list", "--json", expect=4).json()["sets"]
    equal({one["name"] for one in running}, {sets[name].name for name in ("healthy", "lossy", "died")},
          "list alone: what runs or died")


def in_words(t, sets):
    shown = support.dmremap("status", expect=4).out
    first, *blocks = re.split(r"\n\n(?= +set: )", shown)
    equal([line.split()[0] for line in first.splitlines()[1:]],
          sorted(dm.name for dm in sets.values()), "the table")
    said = {re.search(r"set: (\S+)", block).group(1): re.sub(r"\s+", " ", block) for block in blocks}
    equal(set(said), {sets[name].name for name in ("lossy", "died", "headless", "spareless")},
          "those that need attention")
    for name, state, status, action in (
            ("lossy", "degraded, data-lost", "23 sectors are lost or gone", "dmremap files"),
            ("died", "stopped, died", "is gone", f"dmremap start {sets['died'].name}"),
            ("headless", "stopped, main-missing", "main is not here", "dmremap discover"),
            ("spareless", "stopped, spare-away", sets["spareless"].spare, "dmremap discover")):
        block = said[sets[name].name]
        for label, text in (("state", state), ("status", status), ("action", action)):
            check(re.search(f" {label}: .*{re.escape(text)}", block), f"{label} {text}: {block}")
    for line in shown.splitlines():
        check(len(line) <= 80 or t.dir in line, f"80 columns: {line}")


def list_all(t):
    equal(support.dmremap("list", "-a").out.splitlines()[1:], [], "nothing is known")
    check("no sets are known here" in support.dmremap("status").out, "status says so")
    sets = _sets(t)
    for part in (table, columns, in_words):
        part(t, sets)


support.run_test(list_all, fuse=True)
