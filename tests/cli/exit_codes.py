#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Each exit code that a verb promises, with a situation that gives it; and every error on the way
is one line that says where, what, and what to do, as tests/cli/messages.txt has it.

That file is for people to read as a whole, for plain words. With DMREMAP_RECORD=1 it is written anew."""

import os
import re
import shutil

import golden
import product
import support
from support import check, equal

# What the situations below refer to; {NAME} in a row is filled in from `World.names`.
#   running          a healthy set that runs
#   held             the same, its file held open
#   mounted, mount   the same, with a file system on it
#   stopped, spare   a healthy set, and its devices
#   lossy            a set that runs and has lost a sector; its spare
#   whole            a healthy set that does not run; of `unservable`, something lies where it
#                    would listen
#   twice            a set that two loop devices hold
#   doubtful fork forked newer   golden spares; the first fork is resolved
ROWS = {
    "create": {0: "new {new_main} {new_spare} --spare-size 16MiB",
               1: "new {dir}/none {new_spare} --spare-size 16MiB", 2: "new {new_main}",
               3: "{running} {new_main} {new_spare} --spare-size 16MiB"},
    "start": {0: "{stopped} --export fuse", 1: "{dir}/none", 2: "{stopped} --stale-ok",
              3: "{doubtful} {main}"},
    "stop": {0: "{stopped}", 1: "none", 2: "", 3: "{held}"},
    "list": {0: "", 2: "extra", 4: ""},
    "status": {0: "{running}", 1: "none", 2: "bad/name", 3: "{twice}", 4: "{lossy}"},
    "events": {0: "{running}", 1: "none", 2: "{running} --since never", 3: "{twice}"},
    "help": {0: "status", 2: "statsu"},
    "monitor": {0: "--test --hooks {dir}/none", 1: "--oneshot --program {dir}/none", 2: "extra",
                4: "--oneshot --hooks {dir}/none"},
    "metrics": {0: "", 1: "--textfile {dir}/none/file", 2: "extra"},
    "explain": {0: "{running} 64", 1: "none 64", 2: "{running} 99999999", 3: "{twice} 64"},
    "table": {0: "{spare} {main}", 1: "{main}", 2: "one two", 3: "{doubtful} {main}"},
    "map": {0: "{running}", 1: "none", 2: "", 3: "{twice}"},
    "report": {0: "{running} --html {dir}/page.html", 1: "none --html {dir}/page.html",
               2: "{running}", 3: "{twice} --html {dir}/page.html"},
    "files": {0: "{mounted} {mount}", 1: "none {mount}", 2: "{running} {mount}",
              3: "{twice} {mount}"},
    "examine": {0: "{spare}", 1: "{main}", 2: "", 3: "{spare} {doubtful}", 4: "{lossy_spare}"},
    "check": {0: "{spare} {main}", 1: "{main}", 2: "", 3: "{spare} {doubtful}", 4: "{lossy_spare}"},
    "repair": {0: "{spare}", 1: "{main}", 2: "", 3: "{doubtful}"},
    "resolve": {0: "{fork} --keep {commit}", 1: "{spare} --keep 0000", 2: "{spare} --keep all",
                3: "{spare} --keep {winner}"},
    "remap": {0: "{running} 64+8", 1: "none 64+8", 2: "{running} one"},
    "unremap": {0: "{running} 64+8", 1: "none 64+8", 2: "{running} 99999999"},
    "retry": {0: "{lossy}", 1: "none", 2: "{running} 99999999"},
    "scrub": {0: "{running} start", 1: "none status", 2: "{running} start --rate 0",
              4: "{lossy} status"},
    "bad": {0: "export {running} {dir}/list", 1: "import {running} {dir}/none", 2: "import",
            3: "export {running} {rescue}"},
    "backfill": {0: "{lossy} {image}", 1: "none {image}", 2: "{lossy} {image} --mapfile {image}",
                 3: "{lossy} {short}"},
    "copy": {0: "{running} {dir}/copy.img", 1: "none {dir}/copy.img", 2: "{running} {new_loop}",
             3: "{held} {dir}/held.copy"},
    "discover": {0: "{spare} {main}", 1: "none", 2: "--no-such-option", 3: "{twice}"},
    "assemble": {0: "{whole} --export fuse", 1: "{unservable}", 2: "", 3: "none"},
    "claims": {0: "", 2: "extra", 3: "--forget none", 4: "--check"},
    "enable": {0: "{stopped}", 2: "", 3: "none"},
    "disable": {0: "{stopped}", 2: "", 3: "none"},
    "spare": {0: "grow {stopped} --size 24MiB", 1: "grow none", 2: "grow", 3: "grow {running}"},
    "release": {0: "{spare}", 1: "{main}", 2: "", 3: "{remapped_spare}"},
}

# What they print is not for people, or not the answer to a question.
WITHOUT_JSON = {"monitor", "metrics", "help"}

# Beyond the first that the table gives: errors of other classes and places.
MORE_ERRORS = [
    "", "none", "create bad/name {main} {new_spare}", "create new {main} {main}",
    "create new {main} {new_spare} --spare-size many", "create new {main} {spare}",
    "create new {main} {new_spare} --destroy x", "start bad!name", "start a ./b",
    "start none", "start {main}", "start {newer} {main}", "start {forked} {main}",
    "start {main} {spare} {dir}", "start {stopped} --export pigeon", "start {dir}/ {main}",
    "stop bad/name", "examine {dir}/none", "examine {dir}", "check {newer}", "repair {newer}",
    "repair {lossy_spare}", "resolve {newer} --keep 0000", "resolve {main} --keep 0000",
    "remap {running} 99999999", "remap {running} 8+0", "remap bad/name 8", "unremap bad/name 8",
    "remap {looked_at} 8", "unremap {looked_at} 8", "unremap {running}", "unremap {running} 8 --all", "retry {looked_at}", "bad import {running} {main}",
    "bad export {running} {dir}/none/list", "bad export {running} {dir}/l --format csv",
    "scrub {running} begin", "scrub {running} pause --now", "scrub {idle} pause",
    "scrub {running} start --window 05:00-05:00", "scrub {running} start --window 5-6",
    "scrub {running} start --rate fast", "scrub {looked_at} start", "scrub {looked_at} status",
    "explain bad/name 8", "explain {running} 8+1",
    "table {newer} {main}", "table none", "table {dir}/none", "table {spare} {short}",
    "table bad!name", "map bad/name", "map {running} --png {dir}",
    "map {running} --svg {dir}/none/map.svg", "report bad/name --html {dir}/page.html",
    "report {running} --html {dir}", "report {running} --html {dir}/none/page.html",
    "files {running} {dir}", "files {running} {dir}/none",
    "files {idle} {mount}", "files {mounted} {mount}/lost+found", "backfill {lossy} {dir}",
    "backfill {lossy} {dir}/none", "backfill {idle} {image}",
    "backfill {lossy} {new_loop} --mapfile {dir}/none", "backfill {lossy} {large}",
    "backfill {looked_at} {image} --mapfile {dir}", "backfill {lossy} /dev/null",
    "copy bad/name {dir}/x", "copy {idle} {dir}/x", "copy {running} {dir}",
    "copy {running} {short}", "copy {running} {dir}/none/x",
    "copy {running} /dev/none --mapfile {dir}/m", "copy {running} {new_loop} --mapfile {dir}",
    "copy {running} {new_loop} --mapfile {image}", "copy {running} {running_spare}",
    "copy {mounted} {dir}/x", "copy {by_nbd} {dir}/x",
    "copy {running} {small_loop} --mapfile {dir}/m", "discover {spare} {main} --pair",
    "assemble {whole} --all", "assemble {whole} --export tape", "assemble bad/name",
    "assemble {away}", "start {idle} --export fuse --socket {dir}/x",
    "start {idle} --export nbd --mount {dir}/x", "start {idle} --socket {dir}/x",
    "start {idle} --export nbd --socket {dir}/none/x",
    "start {idle} --export nbd --socket {rescue}", "start {doubtful} {main} --export nbd",
    "spare", "spare shrink {running}", "spare grow {running} --size many", "spare grow {running} --size 8MiB",
    "spare grow {remapped_spare} --size 8MiB", "spare grow {looked_at}", "spare grow {newer}", "spare grow {main}",
    "spare grow {running_spare}", "spare grow {remapped_spare} --size 4194304TiB", "release {newer}", "release {spare} --discard-data x", "release {remapped_spare} --copied",
    "release {dir}", "events bad/name", "statsu", "bad imprt", "explain {running} 64 --file {image}",
    "explain {running} --file {dir}/none", "explain {running} --file {image}", "check none",
    "release none", "examine bad!name", "stop {running_spare}", "files {running}",
    "claims --forget {running}", "enable bad/name",
]


MESSAGES = os.path.join(os.path.dirname(os.path.abspath(__file__)), "messages.txt")

# What differs from run to run and from machine to machine.
MASKS = [(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"), (r"\b[0-9a-f]{32}\b", "COMMIT"),
         (r"/dev/loop\d+", "/dev/loopN"), (r"\bprocess \d+", "process PID"),
         (r"\d+ (?:python3?[\d.]*|dmremap)", "PID program")]


# What is said of a main that is away depends on the devices that there are.
MACHINE_DECIDES = {"assemble {away}"}


class World:
    """Sets in every situation that the rows need."""

    def __init__(self, t):
        self.t = t
        self.said = {}  # the line of each command that is refused
        self.names = {"dir": t.dir, "new_main": t.image("new-main.img", "16MiB"),
                      "new_spare": t.path("new-spare.img")}
        running, _ = self._set("running")
        held, _ = self._set("held")
        self._open = os.open(held.start("fuse"), os.O_RDONLY)
        t.cleanup.push(os.close, self._open)
        running.start("fuse")
        self.names["running_spare"] = running.spare
        stopped, _ = self._set("stopped")
        self.names.update(spare=stopped.spare, main=stopped.main,
                          winner=stopped.examine()["winner"]["commit"])
        self._lossy()
        self._twice()
        self._others()
        self._targets()
        self._in_reach()
        self._mounted()

    def _set(self, name, main=None):
        main = main or self.t.image(f"{name}.img", "16MiB")
        dm = product.Product(self.t, main, self.t.path(f"{name}.spare"), name=f"x-{name}")
        dm.create("--spare-size", "16MiB")
        self.names[name] = dm.name
        return dm, main

    def _lossy(self):
        disk = self.t.lab(size="16MiB")
        disk.fault("read", "64+1")
        dm, _ = self._set("lossy", disk.path)
        dm.start("fuse")
        dm.run("remap", dm.name, "64")
        self.names["lossy_spare"] = dm.spare

    def _twice(self):
        dm, main = self._set("twice")
        support.dmremap("start", dm.name, "--export", "fuse")
        dm.run("remap", dm.name, "64")
        dm.stop()
        self.names["remapped_spare"] = self.t.path("remapped.spare")
        for copy in ("remapped.spare", "twice.copy"):
            shutil.copy(dm.spare, self.t.path(copy))
        self.t.loop(dm.spare)
        self.t.loop(self.t.path("twice.copy"))
        looked_at, _ = self._set("looked_at")
        looked_at.start("fuse", "--read-only")

    def _others(self):
        images = golden.images()
        for name, image in (("doubtful", "five-dead"), ("fork", "fork"), ("newer", "newer-format")):
            self.names[name] = images[f"1/{image}"].unpack(self.t)
        self.names["forked"] = self.t.path("forked.img")
        shutil.copy(self.names["fork"], self.names["forked"])
        product.Product(self.t, self.names["main"], self.names["forked"], name="golden")
        found = support.dmremap("examine", self.names["fork"], "--json", expect=4).json()
        self.names["commit"] = next(
            slot["commit"] for copy in found["devices"][0]["copies"] for slot in copy["slots"]
            if slot["verdict"] == "good")
        self.names["rescue"] = self.t.path("rescue.map")
        with open(self.names["rescue"], "w", encoding="utf-8") as file:
            file.write("# Mapfile. Created by GNU ddrescue version 1.27\n"
                       "0x0 ? 1\n0x0 0x1000000 ?\n")

    def _targets(self):
        """Images and devices to copy to and to fill from."""
        for name, size in (("image", "16MiB"), ("short", "8MiB"), ("large", "17MiB")):
            self.names[name] = self.t.image(f"{name}.img", size)
        for name, size in (("new_loop", "16MiB"), ("small_loop", "8MiB")):
            self.names[name] = self.t.loop(self.t.image(f"{name}.img", size))

    def _in_reach(self):
        """Sets that assemble finds, or does not."""
        self._set("whole")
        self._set("idle")
        _, main = self._set("away")
        os.rename(main, main + ".away")
        self._set("unservable")
        os.mkdir(os.path.join(self.t.runtime_dir, "x-unservable.sock"))
        by_nbd, _ = self._set("by_nbd")
        by_nbd.start("nbd")

    def _mounted(self):
        dm, _ = self._set("mounted")
        device = dm.start("block")
        support.run("mkfs.ext4", "-q", device)
        self.names["mount"] = self.t.mount(device)

    def arguments(self, text):
        return [word.format(**self.names) for word in text.split()]

    def note(self, command, line):
        """Remembers what was said, with the names of things in place of this run's."""
        for name, value in sorted(self.names.items(), key=lambda item: -len(item[1])):
            if "/" in value:
                line = line.replace(value, "{" + name + "}")
        for pattern, mask in MASKS:
            line = re.sub(pattern, mask, line)
        if command not in MACHINE_DECIDES:
            self.said[command.strip()] = line


def check_error(done):
    line = done.one_line_error()
    check(line.startswith("dmremap: ") and not line.endswith("."), f"an error line: {done}")
    check(done.out == "" or done.exit == 1, f"stdout of an error: {done}")
    return line


def check_refusal(world, text, exit):
    """An error, twice: for people, and with --json from verbs that have it."""
    args = world.arguments(text)
    line = check_error(support.dmremap(*args, expect=exit))
    world.note(text, line)
    if args and args[0] in WITHOUT_JSON:
        return
    done = support.dmremap(*args, "--json", expect=exit)
    done.one_line_error()
    error = done.error_json()
    equal(sorted(error), ["code", "hint", "what", "where"], f"fields of {done}")
    for field in ("code", "what", "where", "hint"):
        check(error[field], f"the error says {field}: {done}")
    equal(line, f"dmremap: {error['where']}: {error['what']}; {error['hint']}", "the line")


def check_row(world, verb, code, text):
    args = [verb, *world.arguments(text)]
    # examine tells in its report, on stdout, that nothing was found.
    if code in (0, 4) or (verb, code) == ("examine", 1):
        said = support.dmremap(*args, expect=code).err.splitlines()
        notes = [line for line in said if verb == "table" and line.startswith("dmremap: note: ")]
        equal(said, notes, f"stderr of {args}")
    else:
        check_refusal(world, f"{verb} {text}", code)


def check_messages(said):
    if os.environ.get("DMREMAP_RECORD") == "1":
        with open(MESSAGES, "w", encoding="utf-8") as file:
            file.write("\n".join(f"$ dmremap {command}\n{line}\n" for command, line in said.items()))
    with open(MESSAGES, encoding="utf-8") as file:
        pairs = [one.strip().split("\n") for one in file.read().split("\n\n")]
    expected = {command.removeprefix("$ dmremap").strip(): line for command, line in pairs}
    other = [f"{command}: expected {expected.get(command)!r}, got {said.get(command)!r}"
             for command in sorted({*said, *expected}) if said.get(command) != expected.get(command)]
    check(not other, "messages (DMREMAP_RECORD=1 writes messages.txt anew):\n" + "\n".join(other))


def exit_codes(t):
    promised = {verb["name"]: [e["code"] for e in verb["exits"]]
                for verb in support.dmremap("--describe").json()["verbs"]}
    equal({verb: sorted(codes) for verb, codes in ROWS.items()}, promised,
          "verbs and the exit codes of their manual: give each a row")
    # Some of the sets to come need attention.
    support.dmremap("list", expect=0)
    world = World(t)
    # What ends a set comes after what looks at it.
    for code in (2, 1, 3, 4, 0):
        for verb, codes in ROWS.items():
            if code in codes and (verb, code) != ("list", 0):
                check_row(world, verb, code, codes[code])
    for text in MORE_ERRORS:
        check_refusal(world, text, (1, 2, 3))
    check_messages(world.said)


support.run_test(exit_codes, root=True, fuse=True, loop=True, programs=["mkfs.ext4", "nbdkit"])
