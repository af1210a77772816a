#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dmremap-udev answers in a few milliseconds of processor time: it runs at every event of every disk.
Most of them went into loading libraries of which it needs a function or two."""

import os
import resource
import statistics
import subprocess

import support
from support import check

PROGRAM = os.path.join(os.path.dirname(support.DMREMAP), "dmremap-udev")
RUNS = 21
# It takes three on an idle machine. On a slow or busy one a program that does nothing, which takes half
# a millisecond to one there, takes longer too.
MOST_MS, MOST_OF_NOTHING = 12, 10
HEAVY = ("libsystemd",)
CLAIM = """claim-version = 1
name = data
set = 431a65fc-7484-46c4-bade-24f6ad223042
machine-id = 0123456789abcdef0123456789abcdef
enabled = no
served = no
sectors-elsewhere = 8

[main]
path = /dev/none
size-sectors = 1953525168
logical-block-bytes = 512
serial = ZA1

[spare]
uuid = 6b8b4567-327b-43c6-9643-74b0dc519f2e
path = /dev/none2
size-sectors = 32768
logical-block-bytes = 512
serial = ZB1

[end]
"""


def milliseconds(command, env):
    """The processor time of a run."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=env, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return 1000 * (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)


def udev_time(t):
    device = t.loop(t.image("disk.img", "16MiB"))
    claims = t.path("claims.d")
    os.mkdir(claims, 0o700)
    with open(os.open(os.path.join(claims, "data"), os.O_WRONLY | os.O_CREAT, 0o600), "w",
              encoding="ascii") as file:
        file.write(CLAIM)
    env = {**os.environ, "DMREMAP_CONFIG_DIR": t.dir}
    loaded = support.run("ldd", PROGRAM).out
    check(not any(name in loaded for name in HEAVY), f"libraries: {loaded}")
    answer = statistics.median(milliseconds([PROGRAM, device], env) for _ in range(RUNS))
    nothing = statistics.median(milliseconds(["true"], env) for _ in range(RUNS))
    print(f"an answer: {answer:.1f} ms of processor time; a program that does nothing: {nothing:.1f} ms")
    check(answer <= max(MOST_MS, MOST_OF_NOTHING * nothing), f"{answer:.1f} ms of processor time")


support.run_test(udev_time, root=True, loop=True)
