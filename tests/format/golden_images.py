#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every golden image is read as on the day it was made: by `examine`, and by the reader that was
written from docs/on-disk-format.md."""

import os

import golden
import support
from support import check, equal

# What issue and page promise an image of.
ASKED = {"healthy", "torn-commit", "one-dead", "two-dead", "three-dead", "four-dead", "five-dead",
         "six-dead", "seven-dead", "near-region-dead", "fork", "orphan", "misplaced-copy",
         "foreign-copy", "full-table", "newer-format"}


def golden_images(t):
    images = golden.images()
    check(ASKED <= {image.name for image in images.values()}, "an image of each kind is there")
    for key, image in images.items():
        path = image.unpack(t)
        expected = image.expected(path)
        equal(support.dmremap("examine", "--json", path, expect=image.exit).json(), expected,
              f"examine of {key}")
        equal(golden.read_metadata(path, expect=image.exit).json(), expected,
              f"read-metadata of {key}")
        os.unlink(path)


support.run_test(golden_images)
