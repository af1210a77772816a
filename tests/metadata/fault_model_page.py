#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""docs/fault-model.md quotes what the enumeration prints: every line of it."""

import os

import support
from support import check

TABLE = os.path.join(os.path.dirname(support.DMREMAP), "quorum-table")
PAGE = os.path.join(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))),
                    "docs", "fault-model.md")


def fault_model_page(t):
    printed = support.run(TABLE, timeout=300).out.splitlines()
    with open(PAGE, encoding="utf-8") as file:
        page = set(file.read().splitlines())
    check(len([line for line in printed if line.startswith("|")]) >= 18, "the tables are there")
    for line in printed:
        check(not line or line in page, f"docs/fault-model.md does not say: {line}")


support.run_test(fault_model_page)
