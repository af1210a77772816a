#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 1: no second set over a main that has one, nor over the spare of one: it would serve the old
versions of what is on the spare. The set and its spare are named, also where the spare is gone."""

import os

import product
import support
from support import check, equal


def _refused(dm, *options):
    error = dm.create("--spare-size", "32MiB", *options, "--json", expect=3).error_json()
    equal(error["code"], "main-has-set", f"refused: {error}")
    check(not os.path.exists(dm.spare), "no file was made")
    return error


def one_set_a_main(t):
    image = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    first = product.Product(t, image, t.path("first.spare"))
    first.create("--spare-size", "32MiB")
    first.start("fuse")
    first.run("remap", first.name, "80000+8")
    first.stop()
    uuid = first.examine()["set"]["uuid"]

    second = product.Product(t, image, t.path("second.spare"))
    error = _refused(second)
    check(first.name in error["what"] and first.spare in error["what"] and uuid in error["what"],
          f"names the set and its spare: {error}")
    _refused(product.Product(t, t.loop(image), t.path("loop.spare")))

    over_spare = product.Product(t, first.spare, t.path("third.spare"))
    error = _refused(over_spare)
    check("spare of the set " + first.name in error["what"], f"a spare is no main: {error}")

    # The spare is dead: what is remembered tells, and the user gives it up.
    os.rename(first.spare, t.path("away"))
    error = _refused(second)
    check(first.spare in error["what"] and "--discard-data " + uuid in error["hint"],
          f"the way out is named: {error}")
    _refused(second, "--discard-data", "00000000-0000-4000-8000-000000000000")
    second.create("--spare-size", "32MiB", "--discard-data", uuid)

    other = product.Product(t, t.image("other.img", "64MiB"), t.path("other.spare"))
    other.create("--spare-size", "32MiB")


support.run_test(one_set_a_main, root=True, fuse=True, loop=True)
