#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of README.md, typed as they stand there, do what it says and print what it shows;
and it names every verb and document.

In a mount namespace of its own, for the session mounts over /mnt; there a read-only file system
lies below, so that nothing is ever written to the machine's own /mnt."""

import os
import re
import sys

import product
import support
from support import check, equal

NAME = "backup"  # of the set in README.md

# What differs from run to run, machine to machine; applied to both sides.
MASKS = [(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "TIME"),
         (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID"),
         (r"/dev/loop\d+", "/dev/loopN"),
         (r"(process +)\d+", r"\1PID"),
         (r"\d+ read and \d+ write errors", "ERRORS"),
         (r"commit \d+", "commit N"),
         (r"\d+ reads \(\d+ of them remapped\), \d+ writes \(\d+\), \d+ flushes", "REQUESTS")]


def readme():
    with open(os.path.join(support.ROOT, "README.md"), encoding="utf-8") as file:
        return file.read()


def blocks(kind):
    return re.findall(rf"^```{kind}\n(.*?)^```$", readme(), re.MULTILINE | re.DOTALL)


def session():
    """[(command, what it prints)] of all console blocks."""
    steps = []
    for line in "".join(blocks("console")).splitlines():
        if line.startswith("# "):
            steps.append((line[2:], []))
        else:
            steps[-1][1].append(line)
    return steps


def masked(lines, directory):
    text = "\n".join(lines).replace(directory + "/", "")
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    # Which of two bad sectors is met first is the file system's affair.
    return sorted(text.split("\n")) if "remap" in text and "TIME" in text else text.split("\n")


def commands_of_make():
    targets = re.findall(r"^make ([a-z-]+)", "".join(blocks("sh")), re.MULTILINE)
    equal(targets, ["deb", "demo", "check"], "the package, then the two commands")
    for target in targets:
        support.run("make", "-C", support.ROOT, "--dry-run", target)


def nothing_is_left_out():
    verbs = {verb["name"] for verb in support.dmremap("--describe").json()["verbs"]}
    table = re.search(r"^\| verb .*?\n\n", readme(), re.MULTILINE | re.DOTALL).group(0)
    first_cells = [row.split("|")[1] for row in table.split("\n") if row]
    named = set(re.findall(r"`([a-z]+)`", " ".join(first_cells)))
    equal(named, verbs, "verbs in README.md")
    docs = os.path.join(support.ROOT, "docs")
    for name in os.listdir(docs):
        check(f"(docs/{name}" in readme(), f"README.md leads to docs/{name}")
    for path in re.findall(r"\]\(([^)#:]+)", readme()):
        check(os.path.exists(os.path.join(support.ROOT, path)), f"README.md: {path} is there")


def type_session(t):
    directory = t.path("session")
    os.mkdir(directory)
    check(not os.path.lexists(f"/dev/dm-remap/{NAME}"), f"no other set {NAME} runs here")
    support.run("mount", "-t", "tmpfs", "-o", "ro,size=4k", "none", "/mnt")
    lab = support.Lab(os.path.join(directory, "main.img"), os.path.join(directory, "failing.disk"))
    t.cleanup.push(lab.end)
    product.Product(t, lab.path, os.path.join(directory, "spare.img"), name=NAME)
    t.cleanup.push(support.run, "umount", "--quiet", "/dev/dm-remap/" + NAME, expect=None)
    environment = {**os.environ,
                   "PATH": os.path.dirname(support.DMREMAP) + ":" + os.environ["PATH"]}
    for command, shown in session():
        if "/mnt/" in command:
            on_set = support.run("findmnt", "--noheadings", "-o", "SOURCE", "/mnt").out
            check("/dev/loop" in on_set, f"the set is mounted at /mnt: {on_set}")
        done = support.run("bash", "-c", command, cwd=directory, env=environment, timeout=900)
        said = (done.out + done.err).splitlines()
        print("# " + command, *said, sep="\n", flush=True)
        equal(masked(said, directory), masked(shown, directory), f"`{command}` prints")


def readme_session(t):
    commands_of_make()
    nothing_is_left_out()
    check(len(session()) >= 10, "a session to type")
    type_session(t)


if os.environ.get("DMREMAP_OWN_MOUNTS") != "yes" and os.geteuid() == 0:
    os.environ["DMREMAP_OWN_MOUNTS"] = "yes"
    os.execvp("unshare", ["unshare", "--mount", sys.executable, *sys.argv])
support.run_test(readme_session, root=True, fuse=True, loop=True,
                 programs=["unshare", "mkfs.ext4", "make", "findmnt"])
