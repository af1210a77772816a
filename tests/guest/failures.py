#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A payload that fails, a guest that dies or hangs, a kernel that complains, and what a payload leaves
behind: each is seen as the failure that it is, its console is shown, and what comes after still has
its result."""

import os
import sys

import kernels
import machine
import places
import plan
import results
import support
from support import check, equal

# What is said of each, and what of its console or output must be there to be looked at.
EXPECTED = {
    "fails": ("exit 1", "FAILED: nothing is something"),
    "warns": ("the kernel complained", "WARNING: made by a test"),
    "panics": ("the guest died", "sysrq_handle_crash"),
    "waits": ("ran out of time", ": sleep 1000"),
    "hangs": ("ran out of time", "kernel.sched_rt_runtime_us = -1"),
    "leaves": ("it left something behind", "left behind: mount of /dev/loop"),
    "succeeds": ("", "printed"),
}


def run(names):
    """{name: its Result}, all of one boot."""
    broken = os.path.join(places.HERE, "broken")
    boot, = plan.boots([plan.read(os.path.join(broken, f"{name}.sh")) for name in names])
    return {payload.name: result for payload, result in results.run(boot)}


def failures_are_seen(t):
    places.RESULTS = t.path("results")
    found = run([name for name in EXPECTED if name != "hangs"])
    plan.DUMP_SECONDS = 10  # such a guest does not come to it
    found |= run(["hangs", "succeeds"])
    equal(sorted(found), sorted(EXPECTED), "payloads with a result")
    for name, (failure, trace) in EXPECTED.items():
        result = found[name]
        check(bool(result.failure) == bool(failure) and failure in result.failure,
              f"{name}: {result.failure!r} instead of {failure!r}\n{result.output}\n{result.console}")
        check(trace in result.output + result.console,
              f"{name}: {trace!r} is not shown:\n{result.output}\n{result.console}")
    fast = machine.Section("fast", status="0", seconds=100, own_seconds=400)
    check("clock is wrong" in fast.failure(), f"a clock four times as fast: {fast.failure()!r}")
    kept = results.load("panics.6.12")
    check("printed before the panic" in kept.output, f"what it printed before: {kept.output}")
    with open(t.path("results/succeeds.6.12/files/file"), encoding="ascii") as file:
        equal(file.read(), "kept\n", "a file comes back")


def reason_to_skip():
    if results.what_is_missing() is not None:
        return results.what_is_missing()
    try:
        kernels.fetch("6.12", places.KERNELS)
    except kernels.NotToBeHad as error:
        return str(error)
    return None


why = reason_to_skip()
if why is not None:
    sys.exit(results.report_skipped("failures_are_seen", why))
support.run_test(failures_are_seen)
