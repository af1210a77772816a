#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The tests that the source package brings along (debian/tests), by autopkgtest, in a minimal root."""

import glob
import os

import minimal_root
import support
from support import check


def autopkgtest(t):
    root = minimal_root.Root(t)
    root.apt("update")
    (source,) = glob.glob(os.path.join(minimal_root.DEBS, "*.dsc"))
    done = support.run("autopkgtest", "--output-dir", t.path("results"), *minimal_root.packages(), source,
                       "--", "chroot", root.path, expect=None, timeout=7200)
    print(done.out, done.err, sep="\n", flush=True)
    # 2: some were skipped, which is to be seen.
    check(done.exit == 0, f"autopkgtest: exit {done.exit}")
    with open(t.path("results", "summary"), encoding="utf-8") as file:
        summary = file.read()
    print(summary, flush=True)
    for name in ("session", "guest"):
        check(any(line.split()[:2] == [name, "PASS"] for line in summary.splitlines()),
              f"{name} passed: {summary}")


minimal_root.own_mounts()
support.run_test(autopkgtest, root=True, fuse=True, loop=True,
                 programs=["autopkgtest", "mmdebstrap", "unshare", "chroot"])
