#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`make install` puts everything where it belongs, and what it put there works by itself."""

import os
import re

import support
from support import check, equal


# With what the services run.
UNITS = {"dmremap@.service": "start %i", "dmremap-initrd@.service": "start %i",
         "dmremap-replace@.service": "start %i --export ublk --replace",
         "dm-remap-modules.service": "",
         "dm-remap-monitor.service": "monitor --syslog",
         "dm-remap-monitor-oneshot.service": "monitor --oneshot --syslog",
         "dm-remap-monitor-oneshot.timer": None,
         "dm-remap-metrics.service": "metrics --textfile ${METRICS_FILE}",
         "dm-remap-metrics.timer": None}
INITRAMFS = ("hooks/dm-remap", "scripts/dm-remap-functions",
             *(f"scripts/{stage}/dm-remap" for stage in ("local-top", "local-block", "panic")))


def make_install(**variables):
    # As built: the test is not to build or install packages.
    return support.run("make", "-C", support.ROOT, "--assume-old=build", "install",
                       *(f"{name}={value}" for name, value in variables.items()))


def install(t):
    make_install(DESTDIR=t.path("root"), PREFIX="/usr")
    equal(os.listdir(t.path("root")), ["usr"], "nothing outside of the prefix")
    found = support.files_below(t.path("root/usr"))
    verbs = [verb["name"] for verb in support.dmremap("--describe").json()["verbs"]]
    wanted = {"sbin/dmremap", "bin/dmremap-lab", "libexec/dm-remap/read-metadata",
              "share/man/man8/dmremap.8", "share/man/man1/dmremap-lab.1",
              *(f"share/man/man8/dmremap-{verb}.8" for verb in verbs),
              "share/bash-completion/completions/dmremap",
              "share/bash-completion/completions/dmremap-lab",
              *(f"lib/systemd/system/{unit}" for unit in UNITS),
              "lib/udev/dmremap-udev", "lib/udev/rules.d/59-dm-remap.rules",
              "libexec/dm-remap/load-modules", *(f"share/initramfs-tools/{path}" for path in INITRAMFS),
              "lib/dracut/modules.d/91dm-remap/module-setup.sh",
              "lib/systemd/system-shutdown/dm-remap.shutdown", "lib/systemd/system-sleep/dm-remap",
              "share/dm-remap/magic/dm-remap", "share/dm-remap/prometheus/dm-remap.rules.yml", "share/dm-remap/grafana/dm-remap.json",
              "share/doc/dm-remap/README.md", "share/doc/dm-remap/LICENSE",
              "share/doc/dm-remap/CHANGELOG.md", "share/doc/dm-remap/SECURITY.md",
              "share/doc/dm-remap/docs/recovery.md", "share/doc/dm-remap/docs/schema/status.json"}
    equal(sorted(wanted - found), [], "what is missing")
    strange = {path for path in found - wanted if not path.startswith("share/doc/dm-remap/")}
    check(all(path.startswith(("sbin/", "bin/", "lib/", "share/man/", "share/initramfs-tools/",
                              "libexec/dm-remap/")) for path in strange),
          f"in their places: {strange}")
    for name, command in UNITS.items():
        unit = support.run("cat", t.path("root/usr/lib/systemd/system", name)).out
        wanted = {None: "[Timer]", "": "ExecStart=-/sbin/modprobe "}.get(command, f"ExecStart=/usr/sbin/dmremap {command}")
        check(wanted in unit,
              f"the unit names what is there: {unit}")

    for path in found:
        if path.startswith(("lib/", "libexec/", "share/initramfs-tools/")) and os.path.isfile(t.path("root/usr", path)):
            with open(t.path("root/usr", path), "rb") as file:
                start = file.read(4096)
            check(start.startswith(b"\x7fELF") or not re.search(rb"@[A-Z]+@", start), f"{path} names its places")
    rule = support.run("cat", t.path("root/usr/lib/udev/rules.d/59-dm-remap.rules")).out
    check('IMPORT{program}="/usr/lib/udev/dmremap-udev $devnode"' in rule, f"the rule likewise: {rule}")

    make_install(DESTDIR="", PREFIX=t.path("prefix"))
    program = t.path("prefix/sbin/dmremap")
    main, spare = t.image("main.img", "16MiB"), t.path("spare.img")
    support.run(program, "create", "data", main, spare, "--spare-size", "16MiB")
    support.run(program, "check", spare, main)
    support.run(t.path("prefix/bin/dmremap-lab"), "--version")
    read = support.run(t.path("prefix/libexec/dm-remap/read-metadata"), spare).json()
    equal(read["set"]["name"], "data", "read without the product")
    page = support.run("man", "-M", t.path("prefix/share/man"), "dmremap-create").out
    check("--known-bad" in page.replace("\u2010", "-"), "man finds its page")


support.run_test(install, programs=["make", "cmake", "man"])
