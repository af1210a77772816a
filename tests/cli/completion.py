#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Bash completes verbs, options, export kinds, running sets and files, as a shell asks it to."""

import os

import product
import support
from support import check, equal

BUILD = os.path.dirname(os.path.dirname(support.DMREMAP))

# Loads a completion, and asks the function that `complete` registered as readline does.
DRIVER = r"""
source "$1"
program=$2
shift 2
COMP_WORDS=("$program" "$@")
COMP_CWORD=$#
COMP_LINE="${COMP_WORDS[*]}" COMP_POINT=${#COMP_LINE}
[[ $(complete -p "$program") =~ -F\ ([^\ ]+) ]] || exit 1
"${BASH_REMATCH[1]}" "$program" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\n' "${COMPREPLY[@]}"
"""


def complete(t, *words, program="dmremap"):
    script = os.path.join(BUILD, "manual", program, "completion", program)
    environment = {**os.environ,
                   "PATH": os.path.dirname(support.DMREMAP) + ":" + os.environ["PATH"]}
    done = support.run("bash", "-uc", DRIVER, "bash", script, program, *words, cwd=t.path("here"),
                       env=environment)
    equal(done.err, "", f"stderr of completing {words}")
    return sorted(filter(None, done.out.split("\n")))


def completion(t):
    os.mkdir(t.path("here"))
    os.mkdir(t.path("here/images"))
    main, spare = t.image("here/main.img", "16MiB"), t.path("here/spare one.img")
    dm = product.Product(t, main, spare, name="backup")
    dm.create("--spare-size", "16MiB")
    dm.start("fuse")
    described = support.dmremap("--describe").json()
    verbs = [verb["name"] for verb in described["verbs"]]

    equal(complete(t, ""), sorted(verbs), "verbs")
    equal(complete(t, "re"), ["release", "remap", "repair", "report", "resolve", "retry"], "verbs with re")
    equal(complete(t, "bad", ""), ["export", "import"], "verbs below bad")
    equal(complete(t, "help", "re"), ["release", "remap", "repair", "report", "resolve", "retry"], "help re")
    for verb in described["verbs"]:
        options = sorted(name for option in verb["options"] for name in option["names"])
        equal(complete(t, verb["name"], "-"), options, f"options of {verb['name']}")

    for verb in ("start", "assemble"):
        equal(complete(t, verb, "--export", ""), ["auto", "block", "dm", "fuse", "nbd", "ublk"], f"kinds of {verb}")
    equal(complete(t, "bad", "import", "--format", "d"), ["ddrescue"], "formats")
    equal(complete(t, "bad", "import", "--format", ""), ["badblocks", "ddrescue", "kernel", "md"], "read")
    equal(complete(t, "bad", "export", "--format", ""), ["badblocks", "ddrescue"], "written")
    for verb in ("stop", "status", "events", "start", "explain", "map", "report", "files", "table",
                 "backfill", "copy", "assemble", "examine", "check", "repair", "resolve", "release"):
        equal(complete(t, verb, "b"), ["backup"], f"sets after {verb}")
    equal(complete(t, "status", "--json", ""), ["backup"], "sets after an option")
    equal(complete(t, "stop", "backup", "b"), ["backup"], "another set")
    equal(complete(t, "remap", "backup", ""), [], "a range is nobody's to guess")
    equal(complete(t, "create", "b"), [], "a new name is nobody's to guess")

    equal(complete(t, "create", "new", "m"), ["main.img"], "a file")
    equal(complete(t, "create", "new", "main.img", "s"), ["spare one.img"], "a file with a space")
    equal(complete(t, "start", "m"), ["./main.img"], "a slash: a device, no set")
    equal(complete(t, "start", "./main.img", "./s"), ["./spare one.img"], "the next device")
    equal(complete(t, "examine", "./main.img", "--json", "./i"), ["./images"], "a directory on the way")
    equal(complete(t, "copy", "backup", "i"), ["images"], "a directory on the way to a file")
    equal(complete(t, "create", "--destroy", ""), [], "a UUID")
    equal(complete(t, "create", "--destroy", "x", "new", "m"), ["main.img"], "after its value")
    for words in (["start", "--mount"], ["start", "--socket"], ["map", "--svg"], ["map", "--png"],
                  ["report", "--html"], ["copy", "backup", "--mapfile"], ["backfill", "backup", "--mapfile"]):
        equal(complete(t, *words, "im"), ["images"], f"a path after {words}")
    for words in (["backfill", "backup"], ["copy", "backup"]):
        equal(complete(t, *words, "m"), ["main.img"], f"a file after {words}")
    equal(complete(t, "discover", "m"), ["./main.img"], "a slash: without it a set is meant")
    equal(complete(t, "files", "backup", ""), ["images"], "a directory")
    equal(complete(t, "explain", "backup", ""), [], "a sector")
    equal(complete(t, "start", "--", "./m"), ["./main.img"], "after the end of options")

    disk = t.loop(t.image("disk.img", "1MiB"))
    for words in (["create", "new"], ["examine"], ["discover"], ["copy", "backup"]):
        check(disk in complete(t, *words, "/dev/"), f"{disk} after {words}")
    dm.stop()
    equal(complete(t, "start", "b"), ["backup"], "a stopped set")

    equal(complete(t, "s", program="dmremap-lab"), ["save", "serve", "show", "stop"], "the lab")
    equal(complete(t, "serve", "m", program="dmremap-lab"), ["main.img"], "an image")
    equal(complete(t, "save", "x", "y", "--format", "", program="dmremap-lab"),
          ["ddrescue", "list"], "forms")


support.run_test(completion, root=True, fuse=True, loop=True, programs=["bash"])
