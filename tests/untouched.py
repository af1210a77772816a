# SPDX-License-Identifier: GPL-2.0-or-later
"""What a refusal must leave: every device byte for byte, and no file more or less."""

import contextlib
import hashlib
import os

import support
from support import equal


def digest(path):
    """Of what a path holds; None if there is nothing."""
    if not os.path.exists(path):
        return None
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _files_below(directory):
    return sorted(os.path.join(where, name)
                  for where, _, names in os.walk(directory) for name in names)


@contextlib.contextmanager
def untouched(t, *paths):
    """The block must leave these paths, and the list of files in the test's directory, as they
    are."""
    before = [digest(path) for path in paths], _files_below(t.dir)
    yield
    for path, was in zip(paths, before[0]):
        equal(digest(path), was, f"SHA-256 of {path}")
    equal(_files_below(t.dir), before[1], "files in the test's directory")


def put_raid_superblock(path):
    """Version 0.90, which lies near the end of a RAID member, far from any metadata of ours."""
    size = os.path.getsize(path)
    with open(path, "r+b") as file:
        file.seek(size - size % 65536 - 65536)
        file.write(b"".join(number.to_bytes(4, "little")
                            for number in (0xA92B4EFC, 0, 90, 0, 992, 0, 1, 0, 0, 0)))


def refused(t, code, *args, exit=3, paths=(), **options):
    """Runs dmremap: one error line, nothing on stdout, the exit code and the error code as asked,
    nothing touched. Returns the error object."""
    with untouched(t, *paths):
        done = support.dmremap(*args, expect=exit, **options)
        done.one_line_error()
        equal(done.out, "", f"stdout of {args}")
        again = support.dmremap(*args, "--json", expect=exit, **options)
        again.one_line_error()
        error = again.error_json()
        equal(error["code"], code, f"error code of {again}")
        support.check(error["what"], f"says what: {again}")
    return error
