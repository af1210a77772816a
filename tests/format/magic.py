#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""file(1) tells a spare by the magic file that is installed, with the set's name and UUID, also when
its first sectors are damaged."""

import json
import os

import golden
import support
from support import check, equal

MAGIC = os.path.join(support.ROOT, "packaging", "magic", "dm-remap")


def told(path):
    out = support.run("file", "--brief", "--magic-file", MAGIC, path)
    equal(out.err, "", "no complaint about the magic file")
    return out.out.strip()


def magic(t):
    image = golden.images()["1/healthy"].unpack(t)
    known = json.loads(support.dmremap("examine", image, "--json", expect=(0, 4)).out)["set"]
    uuid = known["uuid"].replace("-", "")
    text = told(image)
    check(text.startswith("spare of dm-remap, version 1, "), text)
    for words in (f'set "{known["name"]}"', f"UUID {uuid}", f"{os.path.getsize(image) // 512} sectors"):
        check(words in text, f"{words}: {text}")
    with open(image, "r+b") as file:
        file.write(bytes(4096))
    text = told(image)
    check(text.startswith("spare of dm-remap, damaged at its start, ") and uuid in text, text)
    equal(told(t.image("blank.img", "16MiB")), "data", "a blank image")
    newer = golden.images()["1/newer-format"].unpack(t)
    text = told(newer)
    check(text.startswith("spare of dm-remap, version ") and "set" not in text, f"newer: {text}")


support.run_test(magic, programs=["file"])
