# SPDX-License-Identifier: GPL-2.0-or-later
"""A device-mapper table, read as the kernel reads it: linear and error targets, nothing else."""

import errno
import os
import re

import support
from support import check, equal


class Target:
    """One line. device is None for an error target."""

    def __init__(self, line):
        words = [re.sub(r"\\(.)", r"\1", word) for word in re.findall(r"(?:\\.|[^\s\\])+", line)]
        self.first, self.count = int(words[0]), int(words[1])
        self.device, self.sector = None, None
        if words[2:] != ["error"]:
            equal((words[2], len(words)), ("linear", 5), f"a target: {line}")
            self.device, self.sector = words[3], int(words[4])

    def joins(self, following):
        if self.device != following.device:
            return False
        return self.device is None or self.sector + self.count == following.sector


def parse(text, size):
    """Targets that cover 0 to size without gap or overlap, and of which no two could be one."""
    targets = [Target(line) for line in text.splitlines()]
    at = 0
    for target in targets:
        equal(target.first, at, "the targets follow each other")
        check(target.count > 0, "no target is empty")
        at += target.count
    equal(at, size, "the targets end where main ends")
    check(not any(a.joins(b) for a, b in zip(targets, targets[1:])), f"merged: {text}")
    return targets


def read(targets, first, count):
    """What a read of these sectors gives: data, or EIO as an OSError."""
    out = b""
    for target in targets:
        start, end = max(first, target.first), min(first + count, target.first + target.count)
        if start >= end:
            continue
        if target.device is None:
            raise OSError(errno.EIO, "error target")
        at = target.sector + start - target.first
        out += support.read_sectors(target.device, at, end - start)
    return out


def tool(spare, *main, expect=0):
    """What tools/dmsetup-table prints."""
    path = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))),
                        "tools/dmsetup-table")
    return support.run("python3", path, spare, *main, expect=expect)
