#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A set whose device is in use is not stopped: the refusal names who uses it, and it serves on. Who only
looks at it for a moment is waited for."""

import os
import threading

import product
import support
from support import check, equal_bytes, pattern


def stop_in_use(t):
    image = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    dm = product.Product(t, image, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    point = t.mount(device)
    with open(os.path.join(point, "file"), "wb") as file:
        file.write(pattern(0, 4))
    done = dm.stop(expect=3)
    check(point in done.one_line_error(), f"the error names the mount: {done}")
    with open(os.path.join(point, "file"), "rb") as file:
        equal_bytes(file.read(), pattern(0, 4), "the file after the refused stop")
    support.unmount(point)

    with open(device, "rb"):
        done = dm.stop(expect=3)
        check(str(os.getpid()) in done.one_line_error(), f"the error names the process: {done}")
    support.wait_until(lambda: dm.stop(expect=None).exit == 0, "stopped once nobody uses it")
    check(not dm.is_running(), "it has ended")


def stop_while_looked_at(t):
    """At the device, or at the file that it lies on."""
    dm = product.Product(t, t.image("looked_at.img", "64MiB"), t.path("spare_of_looked_at"))
    dm.create("--spare-size", "32MiB")
    for is_file in False, True:
        device = dm.start("block")
        path = os.path.join(t.runtime_dir, f"{dm.name}.dev") if is_file else device
        end = threading.Timer(0.4, os.close, [os.open(path, os.O_RDONLY)])
        end.start()
        dm.stop()
        end.join()


def all_of_it(t):
    stop_in_use(t)
    stop_while_looked_at(t)


support.run_test(all_of_it, root=True, fuse=True, loop=True, programs=["mkfs.ext4"])
