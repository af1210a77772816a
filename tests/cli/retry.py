#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`retry` asks lost sectors at once: what reads again after the cable was changed is saved, what
does not stays lost, and a terminal sees how far it is."""

import errno
import threading

import product
import support
import terminal
from support import check, equal, equal_bytes


def retry(t):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    device = dm.start("fuse")
    data = support.pattern(4096, 64, "kept")
    support.write_sectors(device, 4096, data)
    check("no sector" in dm.run("retry", dm.name).out, "nothing is lost")

    disk.fault("read", "4096+64")
    for sector in range(4096, 4160, 8):
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector, 8)
    equal(dm.status()["lost_sectors"], 64, "lost")
    done = dm.run("retry", dm.name, "--json").json()
    equal((done["asked_sectors"], done["recovered_sectors"], done["lost_sectors"]), (64, 0, 64),
          "main still does not read")
    done = dm.run("retry", dm.name, "0+2048", "--json").json()
    equal(done["asked_sectors"], 0, "nothing is lost in that range")

    # A part reads again, and slowly: it is worth a look at how far it is.
    disk.clear()
    disk.fault("read+slow:300", "4096+32")
    text = terminal.run("retry", dm.name)
    check(" % " in text and "asked" in text, f"progress on the terminal: {text!r}")
    equal(dm.status()["lost_sectors"], 32, "half of them came back")
    equal_bytes(support.read_sectors(device, 4128, 32), data[32 * 512:], "what came back")

    # Ended by a stop, not the other way round.
    disk.clear()
    disk.fault("read+slow:1500", "4096+32")
    asking = threading.Thread(target=lambda: dm.run("retry", dm.name, expect=None))
    asking.start()
    support.wait_until(lambda: dm.run("status", dm.name, expect=4), "it answers meanwhile")
    dm.stop()
    asking.join()
    dm.start("fuse")

    disk.clear()
    done = dm.run("retry", dm.name)
    check("32 read again" in done.out and "unremap" in done.out, done)
    equal(dm.status()["lost_sectors"], 0, "all came back")
    equal_bytes(support.read_sectors(dm.device, 4096, 64), data, "all of it")
    dm.run("unremap", dm.name, "--all")
    equal(dm.status()["remapped_sectors"], 0, "and is back on main")
    dm.stop()


support.run_test(retry, fuse=True)
