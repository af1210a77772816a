#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What lies in the way of a start at boot: claims that are damaged or name a device twice, metadata of a
newer version, a spare with a name that shells dislike, claims that cannot be written. Each is one clear
line, nothing is started that should not be, and nothing is written that should not be."""

import os
import subprocess

import product
import seals
import support
from support import check, equal
from untouched import untouched


def _claim(t, dm):
    return os.path.join(t.runtime_dir, "claims.d", dm.name)


def _made(t, name, spare=None):
    dm = product.Product(t, t.image(f"{name}.img", "16MiB"), spare or t.path(f"{name}.spare"), name)
    dm.create("--spare-size", "16MiB")
    dm.run("enable", dm.name, "--wait", "1")
    return dm


def _refused(dm, code):
    with untouched(dm.t, dm.main, dm.spare):
        outcome = dm.run("start", dm.name, "--foreground", "--at-boot", "--json", expect=3)
    equal(outcome.error_json()["code"], code, f"refused: {outcome}")
    equal(len(outcome.err.splitlines()), 1, f"one line: {outcome}")


def _claims(t):
    dm = _made(t, "claimed")
    path = _claim(t, dm)
    with open(path, encoding="utf-8") as file:
        whole = file.read()
    main = whole[whole.index("[main]"):whole.index("\n[spare]")]
    spare = whole[whole.index("[spare]"):whole.index("\n[end]")]
    uuid = next(line for line in spare.splitlines() if line.startswith("uuid = "))
    one_device = f"[spare]\n{uuid}\n" + main.removeprefix("[main]\n")
    for bad in (whole[:len(whole) // 2],                     # half-written
                whole.replace("[end]\n", main + "\n[end]\n"),  # main twice
                whole.replace("enabled = yes\n", "enabled = yes\nenabled = no\n"),
                whole.replace(spare, one_device),            # main as spare, too
                "\x00" * 4096, ""):
        with open(path, "w", encoding="utf-8") as file:
            file.write(bad)
        _refused(dm, "claim-damaged")


def _newer_format(t):
    def next_version(seal):
        seal[8:12] = (int.from_bytes(seal[8:12], "little") + 1).to_bytes(4, "little")

    dm = _made(t, "newer")
    seals.edit(dm.spare, next_version, seals.places(dm.spare))
    with untouched(t, dm.main, dm.spare):
        start = subprocess.Popen(
            [support.DMREMAP, "start", dm.name, "--foreground", "--at-boot"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        t.cleanup.push(start.kill)
        line = start.stderr.readline()
        start.kill()
        start.wait(timeout=300)
    check("newer" in line, f"says why: {line}")


def _odd_names(t):
    directory = t.path('a "b" $(touch pwned)\n-%i\\x2d;')
    os.mkdir(directory)
    dm = _made(t, "odd-name", os.path.join(directory, "-spare @\\"))
    served = dm.run("start", dm.name.replace("-", "\\x2d"), "--at-boot", "--export", "fuse")
    equal(served.out.strip(), os.path.join(t.runtime_dir, f"{dm.name}.dev"), "as its unit names it")
    dm.run("stop", dm.name.replace("-", "\\x2d"))
    os.rename(dm.spare, dm.spare + "away")
    error = dm.run("start", dm.name, "--at-boot", expect=3)
    lines = [line for line in error.err.splitlines() if not line.startswith("dmremap: ")]
    equal(lines, [], "a name is no line of its own")
    os.rename(dm.spare + "away", dm.spare)
    check(not os.path.exists("pwned") and not os.path.exists(t.path("pwned")), "nothing was run")


def _read_only_etc(t):
    dm = _made(t, "read-only")
    directory = os.path.dirname(_claim(t, dm))
    support.run("mount", "--bind", directory, directory)
    t.cleanup.push(lambda: support.run("umount", directory, expect=None))
    support.run("mount", "-o", "remount,bind,ro", directory)
    served = dm.run("start", dm.name, "--at-boot", "--export", "fuse")
    check("main is not hidden while the set does not run" in served.err, f"says so: {served}")
    dm.stop()
    dm.run("enable", dm.name, "--wait", "5", expect=3)
    support.run("umount", directory)


def at_boot_bad_input(t):
    for situation in (_claims, _newer_format, _odd_names, _read_only_etc):
        situation(t)


support.run_test(at_boot_bad_input, root=True, fuse=True)
