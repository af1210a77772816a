#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Who asks after several stopped sets has each disk read once, and not once for each set: among them
are the failing mains, of which a read may cost a minute."""

import os

import product
import support
from support import check, equal


def _opens(t, *arguments):
    """{path: how often it was opened}"""
    log = t.path("opens")
    support.dmremap(*arguments, expect=(0, 4),
                    env=os.environ | {"LD_PRELOAD": os.environ["COUNT_OPENS"], "OPENS_FILE": log})
    with open(log) as file:
        paths = file.read().splitlines()
    os.remove(log)
    return {path: paths.count(path) for path in paths}


def opens_of_all(t):
    sets = []
    for name in "abc":
        sets.append(product.Product(t, t.loop(t.image(f"{name}.img", "32MiB")),
                                    t.loop(t.image(f"{name}.spare", "32MiB"))))
        sets[-1].create()
    names = [dm.name for dm in sets]
    for verb, of_one, of_all in (("status", names[:1], ["--all"]), ("status", names[:1], names),
                                 ("events", names[:1], names)):
        alone = _opens(t, verb, *of_one)[sets[0].spare]
        check(alone >= 1, f"{verb}: they were counted at all")
        opens = _opens(t, verb, *of_all)
        equal([opens[dm.spare] for dm in sets], [alone] * 3, f"{verb} of {of_all}: spares")
        equal([opens[dm.main] for dm in sets], [1] * 3, f"{verb} of {of_all}: mains")
    # Where their spares are not there, all disks are looked at for each of them.
    for dm in sets[:2]:
        support.detach_loop(dm.spare)
    opens = _opens(t, "list", "--all", "--json")
    equal([opens[dm.main] for dm in sets], [1] * 3, "list of sets without a spare: mains")


support.run_test(opens_of_all, root=True, loop=True)
