#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`events --follow` over all sets, and `status --watch` on a terminal."""

import json
import os
import pty
import select
import signal
import subprocess
import time

import product
import schemas
import support
from support import check, equal, wait_until


def lines_of(path):
    with open(path, encoding="utf-8") as file:
        return file.read().splitlines()


def follow(t, name, *options):
    out, err = t.path(name + ".out"), t.path(name + ".err")
    with open(out, "w", encoding="utf-8") as to, open(err, "w", encoding="utf-8") as errors:
        process = subprocess.Popen([support.DMREMAP, "events", "--follow", *options], stdout=to,
                                   stderr=errors)
    t.cleanup.push(process.kill)
    return process, out, err


def events_of_all(t):
    text, out, err = follow(t, "text")
    as_json, json_out, _ = follow(t, "json", "--json")
    sets = []
    for number in range(2):
        dm = product.Product(t, t.image(f"main{number}.img", "16MiB"), t.path(f"spare{number}"))
        dm.create("--spare-size", "16MiB")
        dm.start("fuse")
        sets.append(dm)
    one, other = sets

    def seen(dm, kind, count=1):
        found = [line for line in lines_of(out)
                 if line.startswith(f"{dm.name}: ") and line.split()[3] == kind]
        return len(found) >= count

    for dm in sets:
        wait_until(lambda dm=dm: seen(dm, "start"), f"the start of {dm.name}")
    one.run("remap", one.name, "64+8")
    wait_until(lambda: seen(one, "remap"), "a remap")
    one.stop()
    wait_until(lambda: seen(one, "stop"), "a stop")
    wait_until(lambda: f"dmremap: {one.name}: was stopped" in lines_of(err), "the end is noticed")
    other.kill()
    wait_until(lambda: any(f"{other.name}: process" in line for line in lines_of(err)), "the death")
    for dm in sets:
        dm.start("fuse")
    wait_until(lambda: seen(one, "start", 2) and seen(other, "died"), "events after a restart")
    time.sleep(1)
    for process in (text, as_json):
        check(process.poll() is None, "goes on")
        process.terminate()
        process.wait()
    for dm in sets:
        dm.stop()
    lines = lines_of(out)
    equal(len(lines), len(set(lines)), f"each event once: {lines}")
    schema = schemas.Schemas()
    objects = [json.loads(line) for line in lines_of(json_out)]
    for each in objects:
        # Without the name of its set it is an event as that of one set.
        schema.check("events", {key: value for key, value in each.items() if key != "name"})
        check(schema.fits("events", each), f"with the name of its set: {each}")
        check(not schema.fits("events", {**each, "set": "x"}), "and nothing besides")
    seen_of_all = [(each["name"], each["seq"]) for each in objects]
    equal(len(seen_of_all), len(set(seen_of_all)), f"each event once: {seen_of_all}")
    for dm in sets:
        # The last is the stop just now, after the followers.
        missing = {(dm.name, each["seq"]) for each in dm.events()[:-1]} - set(seen_of_all)
        equal(missing, set(), f"what happened to {dm.name}")


def read_screen(fd, until, seconds=100):
    """What is drawn until `until` says that it is enough."""
    text, deadline = "", time.monotonic() + seconds
    while not until(text):
        check(time.monotonic() < deadline, f"not drawn in time: {text!r}")
        if select.select([fd], [], [], 1)[0]:
            text += os.read(fd, 65536).decode(errors="replace")
    return text


def watch(t):
    disk = t.lab(size="16MiB")
    dm = product.Product(t, disk.path, t.path("watched"))
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    done = dm.run("status", "--watch", expect=2)
    check("terminal" in done.one_line_error(), f"without one: {done}")
    dm.run("status", "--watch", "--json", expect=2)

    ours, theirs = pty.openpty()
    watching = subprocess.Popen([support.DMREMAP, "status", dm.name, "--watch"], stdout=theirs,
                                stderr=theirs)
    t.cleanup.push(watching.kill)
    read_screen(ours, lambda text: f"{dm.name}: healthy" in text)
    disk.fault("read", "64+8")
    dm.run("remap", dm.name, "64+8")
    screen = read_screen(ours, lambda text: "data-lost" in text)
    check("\x1b[H\x1b[2J" in screen, f"is drawn over what was there: {screen!r}")
    watching.send_signal(signal.SIGINT)
    equal(watching.wait(timeout=30), -signal.SIGINT, "Ctrl-C ends it")
    none = subprocess.run([support.DMREMAP, "status", "none", "--watch"], stdout=theirs,
                          stderr=theirs, check=False, timeout=100)
    equal(none.returncode, 1, "no such set ends it at once")
    dm.stop()


def following(t):
    events_of_all(t)
    watch(t)


support.run_test(following, root=True, fuse=True)
