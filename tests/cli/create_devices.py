#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`create` on block devices: mounted, read-only, with larger blocks, on main's own file system."""

import os

import support
from support import check, equal
from untouched import digest, refused


def _loop(t, path, *options):
    device = support.run("losetup", "--find", "--show", *options, path).out.strip()
    t.cleanup.push(support.detach_loop, device, only_over=support.loop_backing(device))
    return device


def create_devices(t):
    image = t.image("main.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    main = _loop(t, image)

    # The file behind main, or main behind another loop device, is main.
    refused(t, "same-device", "create", "data", main, image, "--force", paths=(image,))
    refused(t, "same-device", "create", "data", image, main, "--force", paths=(image,))

    # Main may be mounted; a spare on its file system may not.
    point = t.mount(main)
    stored = os.path.join(point, "spare.img")
    with open(stored, "wb") as file:
        file.truncate(32 * support.MIB)
    for given in (main, image):
        refused(t, "spare-on-main", "create", "data", given, stored, paths=(stored,))
        refused(t, "spare-on-main", "create", "data", given, os.path.join(point, "new.img"),
                "--spare-size", "20MiB")
    os.unlink(stored)
    spare = t.image("spare.img", "32MiB")
    support.flush(main)
    support.dmremap("create", "mounted", main, spare)
    check(support.is_mounted(point), "main is still mounted")
    support.dmremap("release", spare)

    # A mounted, a held and a read-only spare.
    busy_image = t.image("busy.img", "32MiB")
    busy = _loop(t, busy_image)
    support.run("mkfs.ext4", "-q", busy)
    busy_point = t.mount(busy, "busy")
    error = refused(t, "device-in-use", "create", "data", image, busy, "--force")
    check(busy_point in error["what"], f"says where it is mounted: {error}")
    refused(t, "device-in-use", "create", "data", image, busy_image, "--force")
    only_read = _loop(t, t.image("ro.img", "32MiB"), "--read-only")
    refused(t, "device-read-only", "create", "data", image, only_read, paths=(t.path("ro.img"),))

    # Blocks larger than main's.
    large = _loop(t, t.image("large.img", "32MiB"), "--sector-size", "4096")
    refused(t, "block-size", "create", "data", main, large, paths=(t.path("large.img"),))

    # The other way round is fine, and main is as it was.
    support.unmount(point)
    support.detach_loop(main)
    main = _loop(t, image, "--sector-size", "4096")
    before = digest(image)
    done = support.dmremap("create", "fine", main, t.path("new.img"), "--spare-size", "32MiB",
                           "--json")
    equal(done.json()["main"]["size_sectors"], 64 * support.MIB // 512, "size of main")
    equal(digest(image), before, "main after create")
    equal(os.stat(t.path("new.img")).st_blocks * 512 >= 32 * support.MIB, True, "space reserved")


support.run_test(create_devices, root=True, loop=True, programs=("mkfs.ext4",))
