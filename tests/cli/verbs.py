#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the reporting verbs say of a set: running and stopped, for people and for scripts."""

import json
import subprocess

import product
import support
from support import check, equal


def _shapes(t, dm):
    status = dm.run("status", dm.name, "--json").json()
    for field in ("json_version", "name", "uuid", "pid", "state", "conditions", "doubtful",
                  "sequence", "size_sectors", "remapped_sectors", "lost_sectors",
                  "suspect_sectors", "main", "spares", "copies", "io", "exports"):
        check(field in status, f"status has {field}")
    for export in status["exports"]:
        equal(sorted(export), ["kind", "stable", "where"], "fields of an export")
    examined = dm.run("examine", dm.main, dm.spare, "--json").json()
    equal([d["role"] for d in examined["devices"]], ["main", "spare"], "roles")
    copies = examined["devices"][1]["copies"]
    equal([c["index"] for c in copies], list(range(8)), "copies in address order")
    check(all(a["sector"] < b["sector"] for a, b in zip(copies, copies[1:])), "address order")
    for slot in (slot for copy in copies for slot in copy["slots"]):
        check(slot["verdict"] in ("good", "stale") and slot["settled"] is True, f"slot {slot}")
        check(slot["sequence"].isdecimal() and slot["term"].isdecimal(), f"numbers {slot}")
        check(len(slot["commit"]) == 32, f"commit {slot}")
    equal(sorted(examined["winner"]),
          ["commit", "reason", "sequence", "term", "timestamp", "writable"], "fields of the winner")
    equal(examined["set"], {"name": dm.name, "uuid": status["uuid"]}, "the set")
    return status


def verbs(t):
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "16MiB")
    stopped = _shapes(t, dm)
    equal((stopped["state"], stopped["pid"]), ("stopped", None), "a new set")
    equal(dm.run("list", "--json").json()["sets"], [], "list while nothing runs")
    equal(json.loads(dm.run("status", "--json").out), [], "status of all while nothing runs")

    lines = dm.run("start", dm.name, "--export", "fuse", "--export", "auto", "--export", "fuse")
    where = lines.out.splitlines()
    equal(len(where), 3, "a line for each export")
    equal((where[0], where[2]), (f"{t.runtime_dir}/{dm.name}.dev",) * 2, "in the order asked")
    running = _shapes(t, dm)
    equal(running["state"], "healthy", "state")
    equal([e["where"] for e in running["exports"]], where, "exports")
    listed = dm.run("list", "--json").json()["sets"]
    equal([(s["name"], s["pid"]) for s in listed], [(dm.name, running["pid"])], "list")
    equal(len(json.loads(dm.run("status", "--json").out)), 1, "status of all")

    follower = subprocess.Popen([support.DMREMAP, "events", dm.name, "--follow", "--json"],
                                stdout=subprocess.PIPE, text=True)
    t.cleanup.push(follower.kill)
    equal(json.loads(follower.stdout.readline())["kind"], "start", "what happened before")
    done = dm.run("remap", dm.name, "2048+16", "--json").json()
    equal(done["relocated_sectors"], 16, "relocated")
    event = json.loads(follower.stdout.readline())
    equal((event["kind"], event["sector"], event["count"]), ("remap", 2048, 16), "the event")
    equal(dm.run("remap", dm.name, "2048+16", "--json").json()["untouched_sectors"], 16, "again")
    equal(dm.status()["remapped_sectors"], 16, "remapped")
    dm.stop()
    equal(follower.wait(timeout=300), 0, "a follower ends with the set")

    kinds = [e["kind"] for e in dm.events()]
    equal(kinds, ["start", "remap", "stop"], "events are kept in the metadata")
    equal(dm.status()["remapped_sectors"], 16, "remapped, stopped")
    for verb in ("status", "events"):
        check(dm.run(verb, dm.name).out, f"text of {verb}")
    check("winner" in dm.run("examine", dm.spare).out, "text of examine")
    support.dmremap("status", "nosuchset", expect=1).one_line_error()
    support.dmremap("events", "nosuchset", expect=1).one_line_error()


support.run_test(verbs, fuse=True)
