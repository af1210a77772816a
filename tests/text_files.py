# SPDX-License-Identifier: GPL-2.0-or-later
"""Texts in files, for tests that make file systems up."""

import os


def write(path, text, mode=0o644):
    """In directories that are made where they are missing."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read()
