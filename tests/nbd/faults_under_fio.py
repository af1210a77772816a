#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""fio's own NBD engine writes, and verifies what it wrote, while sectors go bad under it."""

import json

import product
import support
from support import check, equal


def _fio(uri, *options):
    done = support.run(
        "fio", "--name=verify", "--ioengine=nbd", f"--uri={uri}", "--size=32m", "--bs=4k",
        "--iodepth=16", "--verify=crc32c", "--do_verify=1", "--verify_fatal=0",
        "--continue_on_error=all", "--verify_state_save=0", "--output-format=json", *options,
        expect=None)
    return json.loads(done.out[done.out.index("{"):])["jobs"][0]


def faults_under_fio(t):
    main = t.lab(size="48MiB")
    dm = product.Product(t, main.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    uri = dm.start("nbd")
    for sector in range(1000, 60000, 3000):
        main.fault("write", f"{sector}+{1 + sector % 7}")
    job = _fio(uri, "--rw=randwrite")
    equal(product.fio_errors(job), 0, "fio's errors")
    equal(job["write"]["total_ios"], 8192, "blocks written")
    status = dm.status()
    check(status["remapped_sectors"] >= 20, f"sectors were remapped: {status}")
    equal(status["lost_sectors"], 0, "lost sectors")
    dm.stop()
    equal(product.fio_errors(_fio(dm.start("nbd"), "--rw=read")), 0, "errors after a restart")
    # That the check can fail.
    main.fault("read", "20000+8")
    check(product.fio_errors(_fio(uri, "--rw=read")) > 0, "fio sees a lost sector")
    dm.stop()


support.run_test(faults_under_fio, root=True, fuse=True, programs=["nbdkit", "fio"])
