#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the package does before it is removed and after: it stays while a disk needs it, says why and
what helps, and leaves nothing behind once it is purged. Run against a root of the test's own."""

import os

import support
from support import check, equal
from text_files import read, write

DEBIAN = os.path.join(support.ROOT, "debian")
ELSEWHERE = "unremap {} --all"


def claim(name, served="no", sectors=0, end="[end]\n"):
    return (f"claim-version = 1\nname = {name}\nset = 431a65fc-7484-46c4-bade-24f6ad223042\n"
            f"machine-id = 00\nproduct-uuid =\nenabled = yes\nserved = {served}\n"
            f"sectors-elsewhere = {sectors}\n\n[main]\npath = /dev/sdb\nserved = yes\n"
            f"sectors-elsewhere = 3\n\n[spare]\npath = /dev/sdc\n\n{end}")


# (claims by name, sets that run, what the refusal says; None: it is removed)
CASES = {
    "no set was ever made": ({}, [], None),
    "a set at rest, nothing elsewhere": ({"a": claim("a")}, [], None),
    "sectors on the spare": ({"a": claim("a"), "b": claim("b", sectors=9)}, [],
                             ["b: 9 sectors", "unremap b --all"]),
    "not stopped cleanly": ({"a": claim("a", served="yes")}, [], ["a was not stopped cleanly"]),
    "a set that runs": ({"a": claim("a", served="yes")}, ["a"], ["a is running", "dmremap stop a"]),
    "a set that runs without a claim": ({}, ["x"], ["x is running"]),
    "half a claim": ({"a": claim("a", end="")}, [], ["a", "is damaged"]),
    "an empty claim": ({"a": ""}, [], ["is damaged"]),
    "a count that is none": ({"a": claim("a", sectors="many")}, [], ["is damaged"])}


def script(t, root, name):
    """A maintainer script over `root`; the programs of this machine's sets are stood in for."""
    text = read(os.path.join(DEBIAN, f"dm-remap.{name}"))
    check("#DEBHELPER#" in text, f"{name} has a place for debhelper's part")
    # The list of running sets is looked at only where the root is this machine's.
    text = text.replace("${DPKG_ROOT:-}/etc", f"{root}/etc").replace("root=${DPKG_ROOT:-}", f"root={root}")
    text = text.replace("/run/systemd", f"{root}/run/systemd")
    path = t.path(f"{name}.sh")
    write(path, text, 0o755)
    return path


def run_script(t, root, name, *arguments, expect=0):
    return support.run("sh", script(t, root, name), *arguments, expect=expect,
                       env={**os.environ, "PATH": f"{root}/bin:/usr/bin:/bin"})


def make_root(t, number, claims, running):
    root = t.path(f"root{number}")
    lines = "".join(f"{name:<20} healthy    /dev/loop0\\n" for name in running)
    write(f"{root}/bin/dmremap", f"#!/bin/sh\n[ \"$1\" = list ] || exit 2\nprintf '{lines}'\nexit 4\n", 0o755)
    write(f"{root}/bin/deb-systemd-invoke", f"#!/bin/sh\necho \"$*\" >> {root}/invoked\n", 0o755)
    os.makedirs(f"{root}/run/systemd/system")
    for name, text in claims.items():
        write(f"{root}/etc/dm-remap/claims.d/{name}", text, 0o600)
    return root


def refuses_while_it_is_needed(t):
    for number, (what, (claims, running, said)) in enumerate(CASES.items()):
        root = make_root(t, number, claims, running)
        done = run_script(t, root, "prerm", "remove", expect=0 if said is None else 1)
        equal(done.out, "", f"{what}: stdout")
        for words in said or ():
            check(words in done.err, f"{what}: it says {words!r}: {done.err}")
        if said is None:
            equal(done.err, "", what)
        else:
            check("claims --forget" in done.err, f"{what}: and the way out: {done.err}")
        stopped = os.path.exists(f"{root}/invoked")
        equal(stopped, said is None, f"{what}: services are stopped")
        if stopped:
            (line,) = read(f"{root}/invoked").splitlines()
            equal(line.split()[0], "stop", f"{what}: what systemd is asked")
            equal([unit for unit in line.split() if "dmremap@" in unit], [], f"{what}: sets that are stopped")
            os.unlink(f"{root}/invoked")
        # An upgrade is never refused, and stops nothing.
        equal(run_script(t, root, "prerm", "upgrade", "9.9").err, "", f"{what}: upgrade")
        check(not os.path.exists(f"{root}/invoked"), f"{what}: an upgrade stops something")


def leaves_nothing_behind(t):
    root = make_root(t, "purged", {"a": claim("a")}, [])
    write(f"{root}/var/lib/dm-remap/known", "{}")
    write(f"{root}/etc/default/dm-remap", "MAILADDR=root\n")
    write(f"{root}/run/dmremap/a.log", "")
    write(f"{root}/etc/dm-remap/monitor.d/hook", "")
    write(f"{root}/var/lib/prometheus/node-exporter/dm-remap.prom", "")
    write(f"{root}/var/lib/prometheus/node-exporter/other.prom", "")
    wants = f"{root}/etc/systemd/system/local-fs.target.wants"
    os.makedirs(wants)
    os.symlink("/lib/systemd/system/dmremap@.service", f"{wants}/dmremap@a.service")
    os.symlink("/lib/systemd/system/other.service", f"{wants}/other.service")
    run_script(t, root, "postrm", "remove")
    check(os.path.exists(f"{root}/etc/dm-remap/claims.d/a"), "configuration stays at a removal")
    check(not os.path.exists(f"{root}/var/lib/prometheus/node-exporter/dm-remap.prom"), "no old metrics")
    check(not os.path.exists(f"{root}/run/dmremap"), "nor logs of what has ended")
    run_script(t, root, "postrm", "purge")
    left = sorted(os.path.relpath(os.path.join(where, name), root)
                  for where, directories, files in os.walk(root) for name in [*directories, *files]
                  if "remap" in name and where != f"{root}/bin")
    equal(left, [], "left after the purge")
    check(os.path.lexists(f"{wants}/other.service"), "what is another's is left alone")
    run_script(t, root, "postrm", "purge")  # once more, as dpkg may
    for step in ("upgrade", "failed-upgrade", "abort-install", "disappear"):
        run_script(t, root, "postrm", step, "9.9")


def scripts(t):
    paths = [os.path.join(DEBIAN, f"dm-remap.{name}") for name in ("prerm", "postrm")]
    support.run("shellcheck", "--shell=sh", *paths)
    refuses_while_it_is_needed(t)
    leaves_nothing_behind(t)


support.run_test(scripts, programs=["shellcheck"])
