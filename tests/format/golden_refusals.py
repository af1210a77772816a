#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A doubtful, forked or newer golden image is refused, and its spare is left byte for byte; served
read-only, too (promise 7)."""

import os

import golden
import product
import support
from support import equal
from untouched import digest, refused


def golden_refusals(t):
    main = t.image("main.img", golden.MAIN_SIZE)
    refusals = {key: image for key, image in golden.images().items() if image.start is not None}
    equal({image.start for image in refusals.values()},
          {"metadata-doubtful", "metadata-fork", "metadata-newer"}, "kinds of refusal")
    for image in refusals.values():
        path = image.unpack(t)
        refused(t, image.start, "start", main, path, paths=(main, path))
        refused(t, image.start, "start", main, path, "--read-only", paths=(main, path))
        if image.start == "metadata-newer":
            refused(t, image.start, "start", main, path, "--read-only", "--stale-ok",
                    paths=(main, path))
        else:
            before = digest(main), digest(path)
            dm = product.Product(t, main, path, name=image.expected(path)["set"]["name"])
            dm.start("fuse", "--read-only", "--stale-ok", "--accept-main", main, by_devices=True)
            dm.stop()
            equal((digest(main), digest(path)), before, f"devices of {image.name}")
        os.unlink(path)


support.run_test(golden_refusals, fuse=True)
