#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Root does not mount the disk where another user can exchange the path: a link swapped in between
the making of the file and the mount would put the disk over any file of the system. A user who
swaps the file and the directory all the time gets nothing of it; a directory of root's is fine, and
so is a link of root's to it."""

import os
import shutil
import subprocess
import sys

import support
from product import Product
from support import check, equal

_OTHER = 65534

# Run as the other user: exchanges DIR/dev and DIR/sub for links to the victim and its directory and
# back, as fast as it can.
_SWAPPER = """
import contextlib, os, sys
directory, victim = sys.argv[1:]
os.chdir(directory)
os.symlink(victim, "bait")
os.symlink(os.path.dirname(victim), "bait-directory")
os.mkdir("real-directory")
print("ready", flush=True)
while True:
    for bait, name in (("bait", "dev"), ("bait-directory", "sub"), ("real-directory", "sub")):
        with contextlib.suppress(OSError):
            os.replace(bait, name)
        with contextlib.suppress(OSError):
            os.replace(name, bait)
"""


def foreign_directory(t):
    os.chmod(t.dir, 0o755)
    theirs = t.path("theirs")
    os.mkdir(theirs, 0o755)
    os.chown(theirs, _OTHER, _OTHER)
    victim = t.path("victim", "dev")
    os.mkdir(t.path("victim"), 0o755)
    with open(victim, "w", encoding="utf-8") as file:
        file.write("precious")

    dm = Product(t, t.image("main", "16MiB", fill=1), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    # The interpreter of this test may lie where the other user cannot reach it.
    python = shutil.which("python3", path="/usr/bin:/bin") or sys.executable
    swapper = subprocess.Popen([python, "-c", _SWAPPER, theirs, victim], user=_OTHER,
                               group=_OTHER, extra_groups=[], stdout=subprocess.PIPE, text=True)
    t.cleanup.push(swapper.wait)
    t.cleanup.push(swapper.kill)
    equal(swapper.stdout.readline(), "ready\n", "the other user's program")
    for _ in range(10):
        for where in (os.path.join(theirs, "dev"), os.path.join(theirs, "sub", "dev")):
            refused = dm.start("fuse", "--mount", where, expect=1)
            check("others may change" in refused.one_line_error()
                  or "another user" in refused.err or "No such file" in refused.err
                  or "Not a directory" in refused.err, f"not refused for its path: {refused}")
            equal(support.mounts_below(t.dir), [], "mounts after the refusal")
    with open(victim, encoding="utf-8") as file:
        equal(file.read(), "precious", "the victim")
    swapper.kill()

    os.symlink(t.path("victim"), t.path("link"))
    where = dm.start("fuse", "--mount", t.path("link", "disk"))
    equal(where, t.path("victim", "disk"), "where it is served")
    equal(support.read_sectors(where, 0), support.pattern(0, seed=1), "what is served")
    dm.stop()
    check(not os.path.exists(where), "the mount file is left behind")


support.run_test(foreign_directory, root=True, fuse=True)
