#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs people use with NBD work on a set: nbdinfo, nbdcopy, qemu-img and qemu-io."""

import json

import product
import support
from support import MIB, check, equal


def other_programs(t):
    main = t.image("main.img", "64MiB", fill="old")
    dm = product.Product(t, main, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    uri = dm.start("nbd")
    equal(dm.status()["exports"], [{"kind": "nbd", "where": uri, "stable": uri}], "exports")

    told = json.loads(support.run("nbdinfo", "--json", uri).out)["exports"][0]
    equal(told["export-size"], 64 * MIB, "size")
    for able in ("can_flush", "can_fua", "can_multi_conn", "can_trim", "can_zero",
                 "can_fast_zero"):
        check(told[able], f"nbdinfo: {able}")
    check(not told["is_read_only"], "read-only")
    equal((told["block_size_minimum"], told["block_size_preferred"]), (512, 4096), "block sizes")
    extents = json.loads(support.run("nbdinfo", "--map", "--json", uri).out)
    equal([(e["length"], e["type"]) for e in extents], [(64 * MIB, 0)], "all of it is data")

    # Out and in again, with several connections.
    support.run("nbdcopy", "--connections=4", uri, t.path("out"))
    support.run("cmp", t.path("out"), main)
    source = t.random_file("source", "64MiB", seed=5)
    support.run("nbdcopy", "--connections=4", "--flush", source, uri)
    support.run("qemu-img", "compare", "-f", "raw", "-F", "raw", source, uri)

    support.run("qemu-io", "-f", "raw", "-c", "write -P 0x5a 1M 1M", "-c", "write -f -P 0x5b 2M 64k",
                "-c", "flush", "-c", "read -P 0x5a 1M 1M", "-c", "read -P 0x5b 2M 64k",
                "-c", "write -z -u 3M 64k", "-c", "read -P 0 3M 64k", "-c", "discard 4M 1M", uri)
    failed = support.run("qemu-io", "-f", "raw", "-c", "read -P 0x11 1M 1M", uri, expect=None)
    check("Pattern verification failed" in failed.out + failed.err, f"qemu-io checks: {failed}")
    support.run("qemu-img", "convert", "-n", "-f", "raw", "-O", "raw", source, uri)
    support.run("qemu-img", "convert", "-f", "raw", "-O", "qcow2", uri, t.path("copy.qcow2"))
    support.run("qemu-img", "compare", "-f", "qcow2", "-F", "raw", t.path("copy.qcow2"), source)
    dm.stop()
    support.run("cmp", main, source)


support.run_test(other_programs, programs=["nbdkit", "nbdinfo", "nbdcopy", "qemu-img", "qemu-io"])
