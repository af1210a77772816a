# SPDX-License-Identifier: GPL-2.0-or-later
"""The golden images: spares as programs of earlier versions left them (tests/golden)."""

import json
import lzma
import os

import seals
import support

DIRECTORY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden")
MAIN_SIZE = "16MiB"  # the main device of all of them holds zeros


class Image:
    """One golden image. `start` is the error code with which start must refuse it, or None."""

    def __init__(self, version, name, outcome):
        self.name = name
        self._at = os.path.join(DIRECTORY, version, name)
        self.exit, self.start = outcome["examine"], outcome["start"]

    def unpack(self, t):
        """A copy to work on; its path."""
        path = t.path(f"{self.name}.img")
        with lzma.open(f"{self._at}.img.xz") as packed, open(path, "wb") as file:
            file.write(packed.read())
        return path

    def expected(self, path):
        """What `examine --json` must print for a copy at `path`."""
        with open(f"{self._at}.json", encoding="utf-8") as file:
            expected = json.load(file)
        expected["devices"][0]["path"] = path
        return expected


def images():
    """All images of all versions, by name."""
    found = {}
    versions = sorted(entry for entry in os.listdir(DIRECTORY) if entry.isdigit())
    support.check(versions, f"{DIRECTORY} holds golden images")
    for version in versions:
        with open(os.path.join(DIRECTORY, version, "outcomes.json"), encoding="utf-8") as file:
            for name, outcome in json.load(file).items():
                found[f"{version}/{name}"] = Image(version, name, outcome)
    return found


def read_metadata(path, *options, expect=0):
    return support.run("python3", seals.READER, *options, path, expect=expect)
