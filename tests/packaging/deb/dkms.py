#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""dm-remap-dkms, installed beside the headers of both kernels of the guests: DKMS builds the module for
each, without a warning, and takes it away with the package."""

import os

import minimal_root
import support
from minimal_root import kernels
from support import check, equal


def releases(root):
    """By version: what `uname -r` says of the newest kernel that has headers."""
    found = {}
    for version in kernels.VERSIONS:
        listed = root.run("apt-cache", "search", "--names-only",
                          f"^linux-headers-{version}[.-].*-{kernels.FLAVOUR}$").out.split("\n")
        names = [line.split()[0].removeprefix("linux-headers-") for line in listed if line]
        check(names, f"headers of {version}")
        found[version] = max(names, key=lambda name: [int(part) for part in
                                                      name.replace("-", ".").replace("+", ".").split(".")
                                                      if part.isdigit()])
    return found


def modules(root, release):
    out = root.run("find", f"/lib/modules/{release}", "-name", "dm-remap.ko*", expect=(0, 1)).out
    return out.split()


def dkms(t):
    root = minimal_root.Root(t)
    root.apt("update")
    wanted = releases(root)
    root.apt("install", *(f"linux-headers-{release}" for release in wanted.values()), timeout=7200)
    root.install(minimal_root.packages("dm-remap-dkms"), timeout=7200)
    shown = root.run("dkms", "status", "dm-remap").out
    version = support.run("dpkg-deb", "-f", *minimal_root.packages("dm-remap-dkms"), "Version").out.strip()
    for kernel, release in wanted.items():
        if not modules(root, release):
            # At its installation DKMS builds for the newest kernel alone, where no kernel runs here.
            root.run("dkms", "install", f"dm-remap/{version}", "-k", release, timeout=7200)
        (module,) = modules(root, release)
        equal(root.run("modinfo", "-F", "vermagic", module).out.split()[0], release, f"made for {kernel}")
        log = root.read(f"var/lib/dkms/dm-remap/{version}/{release}/x86_64/log/make.log")
        check("warning:" not in log and "error:" not in log.lower(), f"built without a complaint: {log}")
        print(f"{kernel}: {module}, for {release}", flush=True)
    print(shown.strip(), flush=True)
    root.apt("purge", "dm-remap-dkms")
    for release in wanted.values():
        equal(modules(root, release), [], f"left of it in {release}")
    for place in ("var/lib/dkms", "usr/src"):
        equal([name for name in os.listdir(root.file(place)) if "remap" in name], [], f"left in {place}")


minimal_root.own_mounts()
support.run_test(dkms, root=True, programs=["mmdebstrap", "dpkg-deb", "unshare", "chroot"])
