#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The worked example of docs/on-disk-format.md is what lies in the golden image `healthy`. With
--print OFFSET COUNT, the bytes at an offset in the page's form, to write an example anew."""

import os
import re
import sys

import golden
import support
from support import check, equal

PAGE = os.path.join(os.path.dirname(golden.DIRECTORY), os.pardir, "docs", "on-disk-format.md")
# "00000100  64 6d ...  what it means"; offsets are hexadecimal and of the device.
LINE = re.compile(r"^([0-9a-f]{8})  ((?:[0-9a-f]{2} )*[0-9a-f]{2})(?:  |$)")
# What the example must show: a whole seal, and an entry of the table.
SEAL_FIELDS, ENTRY_BYTES = 224, 24


def example():
    """[(offset, bytes)] of the page's lines."""
    with open(PAGE, encoding="utf-8") as file:
        found = [LINE.match(line) for line in file]
    return [(int(line[1], 16), bytes.fromhex(line[2])) for line in found if line]


def page_example(t):
    with open(golden.images()["1/healthy"].unpack(t), "rb") as file:
        image = file.read()
    lines = example()
    shown = sum(len(data) for _, data in lines)
    check(shown >= SEAL_FIELDS + 4 + ENTRY_BYTES, f"the example shows {shown} bytes")
    for offset, data in lines:
        equal(image[offset:offset + len(data)].hex(" "), data.hex(" "), f"bytes at {offset:08x}")


if sys.argv[1:2] == ["--print"]:
    offset, count = (int(number, 0) for number in sys.argv[2:4])
    t = support.Test("page_example")
    with open(golden.images()["1/healthy"].unpack(t), "rb") as file:
        image = file.read()
    for at in range(offset, offset + count, 16):
        print(f"{at:08x}  {image[at:min(at + 16, offset + count)].hex(' ')}")
    t.take_down()
else:
    support.run_test(page_example)
