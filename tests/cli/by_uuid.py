#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 8: a set is meant by its UUID where its name is not enough, because another one bears it."""

import os

import product
import support
from support import check, equal


def _set(t, number, name):
    """A set that was made on another machine, whose disks are here now."""
    main, image = t.image(f"{number}.img", "16MiB"), t.image(f"{number}.spare", "16MiB")
    dm = product.Product(t, main, image, name)
    elsewhere = {variable: t.path(f"{number}.{variable}")
                 for variable in ("DMREMAP_RUNTIME_DIR", "DMREMAP_STATE_DIR")}
    for directory in elsewhere.values():
        os.mkdir(directory, 0o700)
    dm.run("create", dm.name, main, image, env={**os.environ, **elsewhere})
    dm.spare = t.loop(image)
    return dm


def by_uuid(t):
    one = _set(t, "one", None)
    other = _set(t, "other", one.name)
    uuids = {dm.spare: dm.examine()["set"]["uuid"] for dm in (one, other)}
    ambiguous = one.run("start", one.name, "--export", "fuse", "--json", expect=3).error_json()
    equal(ambiguous["code"], "ambiguous", "both bear the name")
    for dm in (one, other, one):
        uuid = uuids[dm.spare]
        started = dm.run("start", uuid, "--export", "fuse", "--json").json()
        check(started["exports"], f"served: {started}")
        status = dm.run("status", uuid, "--json", expect=(0, 4)).json()
        equal(status["uuid"], uuid, "the set that was meant")
        equal(status["name"], one.name, "and it has a name")
        equal(status["spares"][0]["path"], os.path.realpath(dm.spare), "its spare")
        dm.run("events", uuid)
        dm.run("remap", uuid, "8+8")
        dm.run("stop", uuid)
    unknown = one.run("start", "0" * 8 + "-0000-4000-8000-" + "0" * 12, "--json", expect=3)
    equal(unknown.error_json()["code"], "missing-device", "no such set")


support.run_test(by_uuid, root=True, fuse=True, loop=True)
