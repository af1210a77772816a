#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A `create` that fails half-way on a spare that cannot be written puts back what was there."""

import support
from support import equal
from untouched import digest, put_raid_superblock, refused


def create_undone(t):
    main = t.image("main.img", "16MiB", fill=1)
    spare = t.lab(size="32MiB", fill=2)
    put_raid_superblock(spare.path)
    before = digest(spare.image)
    for where in ("8192+1024", "0+8", "1544+1"):
        spare.fault("write", where)
        done = support.dmremap("create", "data", main, spare.path, "--force", expect=1)
        done.one_line_error()
        equal(digest(spare.image), before, f"spare after a create that could not write {where}")
        spare.clear()

    # What cannot be read could not be put back either.
    spare.fault("read", "2048+16")
    support.write_sectors(spare.path, 65536 - 128, bytes(4096))
    refused(t, "spare-unreadable", "create", "data", main, spare.path, paths=(main, spare.image))
    spare.clear()
    refused(t, "not-running", "status", "data", exit=1, paths=(main,))
    support.dmremap("create", "data", main, spare.path)


support.run_test(create_undone, fuse=True)
