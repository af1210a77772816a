# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults are saved and loaded as a list, which keeps every kind, and as a ddrescue mapfile."""

import errno

import support
from support import check, equal, run


def save_and_load(t):
    disk = t.lab(size="8MiB")
    disk.fault("read", "0")
    disk.fault("read:ENODATA+until-written+slow:2+flaky:0.25", "100+8")
    disk.fault("write", "8192+16")
    faults = disk.show()["faults"]

    as_list = t.path("faults.list")
    equal(disk.save(as_list).err, "", "what a list loses")
    equal(t.lab(size="8MiB", faults=as_list).show()["faults"], faults, "loaded from a list")

    mapfile = t.path("faults.map")
    check("read faults only" in disk.save(mapfile, "ddrescue").err, "it says what a mapfile loses")
    # GNU ddrescue itself accepts it and finds the same bad sectors in it.
    run("ddrescuelog", "--show-status", mapfile)
    bad = run("ddrescuelog", "--list-blocks=-", "--block-size=512", mapfile).out.split()
    equal([int(b) for b in bad], [0, *range(100, 108)], "bad sectors by ddrescuelog")
    loaded = t.lab(size="8MiB", faults=mapfile)
    equal(loaded.show()["faults"], [{"sector": 0, "count": 1, "kinds": ["read"]},
                                    {"sector": 100, "count": 8, "kinds": ["read"]}])
    with support.expect_errno(errno.EIO):
        support.read_sectors(loaded.path, 100)

    # A mapfile that ddrescue wrote, rescuing from this very disk.
    own = t.path("own.map")
    run("ddrescue", "--force", "--idirect", "--sector-size=512", loaded.path, t.path("rescued"),
        own)
    equal(t.lab(size="8MiB", faults=own).show()["faults"], loaded.show()["faults"],
          "loaded from ddrescue's own mapfile")

    # A smaller disk cannot have these faults.
    small = t.image("small.img", "1MiB")
    refused = support.dmremap_lab("serve", small, t.path("small"), "--faults", as_list,
                                  "--background", expect=2)
    check("8192+16" in refused.one_line_error(), refused)


support.run_test(save_and_load, root=True, fuse=True, programs=["ddrescuelog", "ddrescue"])
