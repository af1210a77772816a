#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Of every golden image, `dmremap table` and tools/dmsetup-table print the same table, or both
refuse it: a doubtful or forked set, one of a newer version, one without a whole commit."""

import os

import dm_table
import golden
import support
from support import check, equal

SECTORS = 32768  # of main


def golden_tables(t):
    main = t.image("main.img", golden.MAIN_SIZE)
    printed, refused = {}, {}
    for key, image in golden.images().items():
        path = image.unpack(t)
        product = support.dmremap("table", path, main, "--accept-main", main, expect=(0, 1, 3))
        tool = dm_table.tool(path, main, expect=(0, 1, 3))
        if product.exit == 0:
            equal(tool.out, product.out, f"table of {key}")
            printed[image.name] = dm_table.parse(product.out, SECTORS)
            equal(dm_table.tool(path).out.replace(_hint(path), main), product.out,
                  f"table of {key}, main where it was last seen")
        else:
            product.one_line_error()
            equal((product.out, tool.out), ("", ""), f"no table of {key}")
            equal(tool.exit, product.exit, f"exit status of {key}: {product} {tool}")
            refused[image.name] = product.exit
        os.unlink(path)
    equal({name: refused.get(name) for name in ("five-dead", "fork", "newer-format")},
          {"five-dead": 3, "fork": 3, "newer-format": 3}, "refused")
    check({"healthy", "two-dead", "torn-commit", "full-table"} <= set(printed), printed.keys())
    check(len(printed["full-table"]) > 10000, "a full table")
    check(any(target.device is None for target in printed["healthy"]), "lost sectors")


def _hint(path):
    """Where main was last seen, as the tool says on stderr."""
    said = dm_table.tool(path).err
    return said.partition("last seen at ")[2].partition(";")[0]


support.run_test(golden_tables)
