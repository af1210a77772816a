#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The packages as their user has them: installed in a minimal root they work, start nothing and enable
nothing; an upgrade under load stops no set; the removal is refused while a disk needs it; after the purge
nothing is left."""

import os

import minimal_root
import support
from load import Load
from support import check, equal

# Stands in for systemd, which runs in no chroot: it notes what it is asked.
SYSTEMCTL = """#!/bin/sh
echo "$*" >> /var/log/systemctl
case " $* " in
  *" is-enabled "*) echo disabled; exit 1 ;;
  *" is-active "*) exit 3 ;;
esac
"""
FAULTY = 4096  # a sector whose writes fail on the lab's disk


def asked(root):
    """What systemd was asked to do with units of ours; questions are left out."""
    lines = root.read("var/log/systemctl").splitlines() if os.path.exists(root.file("var/log/systemctl")) else []
    return [line for line in lines if "remap" in line and " is-" not in f" {line}"]


def works(t, root):
    version = root.run("dmremap", "--version").out
    check(version.startswith("dmremap "), f"it runs: {version}")
    check("name=dmremap" in root.run("nbdkit", "dmremap", "--dump-plugin").out, "nbdkit finds the plugin")
    for path in ("lib/udev/rules.d/59-dm-remap.rules", "lib/systemd/system/dmremap@.service",
                 "usr/share/man/man8/dmremap-start.8.gz", "usr/share/bash-completion/completions/dmremap",
                 "etc/needrestart/conf.d/dm-remap.conf", "usr/share/doc/dm-remap/README.md"):
        check(os.path.exists(root.file(path)), f"{path} is there")
    unit = root.read("lib/systemd/system/dmremap@.service")
    check("ExecStart=/usr/sbin/dmremap start" in unit, "the unit names the program")
    helper = "/lib/udev/dmremap-udev"
    check(f'"{helper} $devnode"' in root.read("lib/udev/rules.d/59-dm-remap.rules"), "the rule its helper")
    root.run(helper, "/dev/null", expect=None)
    check(os.access(root.file(helper.lstrip("/")), os.X_OK), "which can be run")
    equal(asked(root), [], "what systemd was asked to do with units of ours")
    for where, directories, names in os.walk(root.file("etc/systemd/system")):
        equal([name for name in [*directories, *names] if "remap" in name], [], f"enabled in {where}")


def serve(t, root):
    """A set over a disk that fails; its device, and the process."""
    root.run("sh", "-c", "mkdir /srv/lab && cd /srv/lab && truncate -s 64M disk.img && "
             "dmremap-lab serve disk.img disk --background")
    t.cleanup.push(root.run, "dmremap-lab", "stop", "/srv/lab/disk", expect=None)
    root.run("dmremap", "create", "data", "/srv/lab/disk", "/srv/lab/spare", "--spare-size", "16MiB")
    return start(t, root)


def start(t, root):
    device = root.run("dmremap", "start", "data", "--export", "block").out.strip()
    t.cleanup.push(root.run, "dmremap", "stop", "data", expect=None)
    check(device.startswith("/dev/loop"), f"a block device: {device}")
    return root.file(device.lstrip("/")), status(root)["pid"]


def status(root):
    return root.run("dmremap", "status", "data", "--json", expect=(0, 4)).json()


def upgrade_stops_nothing(t, root, device, pid):
    load = Load(device, 64 * support.MIB // support.SECTOR)
    t.cleanup.push(load.stop)
    load.goes_on("before the upgrade")
    before = len(asked(root))
    newer = [minimal_root.with_version(t, deb, "99.0") for deb in
             minimal_root.packages("dm-remap", "dm-remap-lab", "nbdkit-plugin-dm-remap")]
    root.install(newer)
    equal(root.run("dpkg-query", "-W", "-f", "${Version}", "dm-remap").out, "99.0", "upgraded")
    load.goes_on("after the upgrade")
    equal(status(root)["pid"], pid, "the process that serves")
    check(os.readlink(f"/proc/{pid}/exe").endswith("(deleted)"), "it goes on over the old program")
    root.run("dmremap-lab", "fault", "/srv/lab/disk", "write", f"{FAULTY}+8")
    load.stop()
    equal(load.errors, [], "no request failed")
    support.write_sectors(device, FAULTY, support.pattern(FAULTY, 8, 7))
    load.latest[FAULTY] = 7
    for sector, seed in load.latest.items():
        equal(support.read_sectors(device, sector, 8), support.pattern(sector, 8, seed),
              f"sector {sector}, written through the upgrade")
    equal(status(root)["remapped_sectors"], 8, "and it does its work")
    again = root.install(newer, "--reinstall")
    check("99.0" in again.out, f"installed again: {again.out}")
    equal(status(root)["pid"], pid, "the process that serves")
    beside = sorted(name for name in os.listdir(root.file("lib/systemd/system")) if name.startswith("dm-remap-"))
    check("dm-remap-monitor.service" in beside, f"services beside the sets: {beside}")
    # Of the templates, and so of sets, nothing is asked; the others are restarted only where they run.
    equal(asked(root)[before:], [f"try-restart {' '.join(beside)}"] * 2,
          "what systemd was asked to do with units of ours in both")


def removal_is_refused(t, root):
    def refused(*words):
        for verb in ("remove", "purge"):
            said = root.apt(verb, "dm-remap", expect=100)
            for word in words:
                check(word in said.out + said.err, f"{verb}: it says {word!r}: {said}")
            root.run("dmremap", "--version")
            check(os.path.exists(root.file("lib/udev/rules.d/59-dm-remap.rules")), "main stays hidden")
            equal(root.run("dpkg-query", "-W", "-f", "${db:Status-Status}", "dm-remap").out, "installed",
                  "it is installed")

    refused("dm-remap is not removed", "data is running", "dmremap stop data")
    root.run("dmremap", "stop", "data")
    refused("data: 8 sectors of its main are on the spare", "dmremap unremap data --all",
            "dmremap claims --forget")
    # The ways out that it names.
    root.run("dmremap-lab", "clear", "/srv/lab/disk")
    device, _ = start(t, root)
    root.run("dmremap", "unremap", "data", "--all")
    equal(support.read_sectors(device, FAULTY, 8), support.pattern(FAULTY, 8, 7), "brought back to main")
    root.run("dmremap", "stop", "data")


def nothing_is_left(root, before):
    root.write("etc/default/dm-remap", "MAILADDR=root\n")
    os.makedirs(root.file("var/lib/prometheus/node-exporter"), exist_ok=True)
    root.run("dmremap", "metrics", "--textfile", "/var/lib/prometheus/node-exporter/dm-remap.prom",
             expect=(0, 4))
    root.run("dmremap", "enable", "data", expect=None)
    root.run("dmremap-lab", "stop", "/srv/lab/disk")
    names = ("nbdkit-plugin-dm-remap", "dm-remap-lab", "dm-remap")
    root.apt("remove", *names)
    check(os.path.exists(root.file("etc/dm-remap/claims.d/data")), "a removal keeps the configuration")
    check(not os.path.exists(root.file("usr/sbin/dmremap")), "and nothing else")
    root.apt("purge", *names)
    left = {path for path in root.files() - before
            if not path.startswith(("srv", "var/lib/prometheus")) or "remap" in path}
    equal(left, set(), "left after the purge")
    for directory in ("etc", "var/lib", "run", "dev"):
        found = support.run("find", root.file(directory), "-name", "*remap*", "-not", "-path",
                            "*/dpkg/*").out.split()
        equal([support.run("find", path).out for path in found if "/lib/apt/" not in path], [],
              f"left in {directory}")


def installed(t):
    root = minimal_root.Root(t)
    root.write("usr/bin/systemctl", SYSTEMCTL, 0o755)
    os.makedirs(root.file("run/systemd/system"))
    root.apt("update")
    debs = minimal_root.packages("dm-remap", "dm-remap-lab", "nbdkit-plugin-dm-remap")
    # What they depend on is there before, and is another's.
    root.install(debs)
    root.apt("purge", "dm-remap", "dm-remap-lab", "nbdkit-plugin-dm-remap")
    before = root.files()
    equal([path for path in before if "remap" in os.path.basename(path)], [], "left by a package nobody used")
    os.unlink(root.file("var/log/systemctl"))
    root.install(debs)
    works(t, root)
    device, pid = serve(t, root)
    upgrade_stops_nothing(t, root, device, pid)
    removal_is_refused(t, root)
    nothing_is_left(root, before)


minimal_root.own_mounts()
support.run_test(installed, root=True, fuse=True, loop=True,
                 programs=["mmdebstrap", "dpkg-deb", "unshare", "chroot"])
