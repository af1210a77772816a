#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The version and its date stand in the changelog alone: the programs and their man pages have them
from there, and a changelog that does not tell them ends the configuration of a build."""

import os
import re

import support
from support import check, equal

READER = os.path.join(support.ROOT, "cmake", "Version.cmake")
MANUAL = os.path.join(os.path.dirname(os.path.dirname(support.DMREMAP)), "manual")

GOOD = {"## 1.2.3 - 2031-01-31\n\n## 1.2.2 - 2030-12-01\n": "1.2.3 2031-01-31",
        "# Changelog\n\n## Unreleased\n\n- more\n\n## 1.2.3 - 2031-01-31\n": "1.2.3 2031-01-31"}
BAD = ["", "# Changelog\n", "## Unreleased\n", "## 1.2.3\n\n## 1.2.2 - 2030-12-01\n",
       "## 1.2.3 - 31 January 2031\n", "## 1.2.3 - 2031-13-01\n", "## 1.2 - 2031-01-31\n",
       "## Unreleased\n\n## Unreleased\n\n## 1.2.3 - 2031-01-31\n"]


def read_by_cmake(t, text, expect=0):
    with open(t.path("CHANGELOG.md"), "w", encoding="utf-8") as file:
        file.write(text)
    with open(t.path("read.cmake"), "w", encoding="utf-8") as file:
        file.write(f'include("{READER}")\ndmremap_read_version("{t.path("CHANGELOG.md")}")\n'
                   'message("${DMREMAP_VERSION} ${DMREMAP_DATE}")\n')
    return support.run("cmake", "-P", t.path("read.cmake"), expect=expect)


def newest_version():
    with open(os.path.join(support.ROOT, "CHANGELOG.md"), encoding="utf-8") as file:
        found = re.search(r"^## (\d\S*) - (\S+)$", file.read(), re.MULTILINE)
    check(found is not None, "CHANGELOG.md names a version and its date")
    return found.groups()


def version(t):
    number, date = newest_version()
    for program, page in ((support.DMREMAP, "dmremap.8"), (support.DMREMAP_LAB, "dmremap-lab.1")):
        name = os.path.basename(program)
        equal(support.run(program, "--version").out.strip(), f"{name} {number}", "--version")
        with open(os.path.join(MANUAL, name, "man", page), encoding="utf-8") as file:
            heading = re.search(r"^\.TH .*$", file.read(), re.MULTILINE).group()
        check(f" {date} " in heading and number in heading, f"{page}: {heading}")
    for text, read in GOOD.items():
        equal(read_by_cmake(t, text).err.strip(), read, f"read of {text!r}")
    for text in BAD:
        said = read_by_cmake(t, text, expect=1).err
        check("CHANGELOG.md" in said, f"it names the changelog: {said}")


support.run_test(version, programs=["cmake"])
