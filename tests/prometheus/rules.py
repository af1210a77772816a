#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The alert rules are sound, and each fires when it should and not when it should not, by promtool's
own tests; and these tests can fail."""

import os
import shutil

import support
from support import check, equal

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = os.path.join(support.ROOT, "packaging/prometheus/dm-remap.rules.yml")
TESTS = ["rules_test.yml", "rules_days_test.yml"]


def alerts_in(text, key):
    return {line.partition(key)[2].split(",")[0].strip() for line in text.splitlines() if key in line}


def rules(t):
    for path in (RULES, *(os.path.join(HERE, name) for name in TESTS)):
        shutil.copy(path, t.dir)
    support.run("promtool", "check", "rules", "dm-remap.rules.yml", cwd=t.dir)
    support.run("promtool", "test", "rules", *TESTS, cwd=t.dir)

    with open(RULES, encoding="utf-8") as file:
        text = file.read()
    fired = set()
    for name in TESTS:
        with open(os.path.join(HERE, name), encoding="utf-8") as file:
            lines = [line for line in file if "exp_alerts: []" not in line]
        fired |= alerts_in("".join(lines), "alertname: ")
    equal(fired, alerts_in(text, "alert: "), "each alert is tried")

    # A rule that watches the level, as is often done, wakes people for old sectors.
    level = text.replace('- dmremap_sectors{state="remapped"} offset 1d > 0', "> 0", 1)
    check(level != text, "the rule on growth is there")
    with open(t.path("dm-remap.rules.yml"), "w", encoding="utf-8") as file:
        file.write(level.replace('dmremap_sectors{state="remapped"} offset 1d\n'
                                 '          - dmremap_sectors{state="remapped"} offset 2d > 0',
                                 'dmremap_sectors{state="remapped"} > 0'))
    done = support.run("promtool", "test", "rules", *TESTS, cwd=t.dir, expect=1)
    check("a level that does not grow wakes nobody" in done.out + done.err, f"is found: {done}")


support.run_test(rules, programs=["promtool"])
