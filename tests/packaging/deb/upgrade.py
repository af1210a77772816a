#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""An upgrade under the real systemd, while a set serves I/O as its unit dmremap@NAME: the set is neither
stopped nor restarted, though its unit's file is another one afterwards; the monitor beside it is restarted;
a removal is refused; and once the set was stopped, the package goes and systemd knows nothing of it."""

import os

import booted_root
import minimal_root
import support
from load import Load
from support import check, equal

FAULTY = 4096  # a sector whose writes fail on the lab's disk
UNIT, MONITOR = "dmremap@data.service", "dm-remap-monitor.service"
NAMES = ("dm-remap", "dm-remap-lab")
# What changes when a unit is stopped or started, by whatever way.
RUN = ("MainPID", "InvocationID", "ActiveEnterTimestampMonotonic", "NRestarts", "ActiveState", "Result")


def status(root):
    return root.run("dmremap", "status", "data", "--json", expect=(0, 4)).json()


def serve(t, root):
    """The set `data` over a disk that fails, served by its unit; the device as the test finds it."""
    root.run("sh", "-c", "mkdir /srv/lab && cd /srv/lab && truncate -s 64M disk.img && "
             "dmremap-lab serve disk.img disk --background")
    t.cleanup.push(root.run, "dmremap-lab", "stop", "/srv/lab/disk", expect=None)
    root.run("dmremap", "create", "data", "/srv/lab/disk", "/srv/lab/spare", "--spare-size", "16MiB")
    root.run("dmremap", "enable", "data")
    t.cleanup.push(root.run, "dmremap", "stop", "data", expect=None)
    root.run("systemctl", "start", UNIT)
    now = status(root)
    equal(str(now["pid"]), root.unit(UNIT, "MainPID")["MainPID"], "the process is the unit's")
    device = now["exports"][0]["where"]
    check(device.startswith("/dev/loop"), f"a block device: {device}")
    return root.file(device.lstrip("/"))


def newer_packages(t):
    """The same as 99.0, with another file of the unit."""
    def changed(tree):
        path = os.path.join(tree, "lib/systemd/system/dmremap@.service")
        if os.path.exists(path):
            with open(path, "a", encoding="utf-8") as file:
                file.write("# of 99.0\n")

    return [minimal_root.with_version(t, deb, "99.0", changed) for deb in minimal_root.packages(*NAMES)]


def upgrade_stops_nothing(t, root, device):
    load = Load(device, 64 * support.MIB // support.SECTOR)
    t.cleanup.push(load.stop)
    load.goes_on("before the upgrade")
    before, monitor = root.unit(UNIT, *RUN), root.unit(MONITOR, "MainPID", "ActiveState")
    equal((before["ActiveState"], monitor["ActiveState"]), ("active", "active"), "both run")
    newer = newer_packages(t)
    for arguments in ((), ("--reinstall",)):
        root.install(newer, *arguments)
        equal(root.run("dpkg-query", "-W", "-f", "${Version}", "dm-remap").out, "99.0", "upgraded")
        equal(root.unit(UNIT, *RUN), before, "the unit of the set")
        load.goes_on("after the upgrade")
        now = root.unit(MONITOR, "MainPID", "ActiveState")
        equal(now["ActiveState"], "active", "the monitor runs")
        check(now["MainPID"] != monitor["MainPID"], f"as another process than before: {now}")
        monitor = now
    equal(root.unit(UNIT, "NeedDaemonReload")["NeedDaemonReload"], "no", "systemd has read the new unit")
    program = root.run("readlink", f"/proc/{before['MainPID']}/exe").out.strip()
    check(program.endswith("(deleted)"), f"it goes on over the old program: {program}")
    load.stop()
    equal(load.errors, [], "no request failed")
    still_remaps(root, device, load)
    equal(root.unit(UNIT, *RUN), before, "the unit of the set")


def still_remaps(root, device, load):
    root.run("dmremap-lab", "fault", "/srv/lab/disk", "write", f"{FAULTY}+8")
    support.write_sectors(device, FAULTY, support.pattern(FAULTY, 8, 7))
    load.latest[FAULTY] = 7
    for sector, seed in load.latest.items():
        equal(support.read_sectors(device, sector, 8), support.pattern(sector, 8, seed),
              f"sector {sector}, written through the upgrade")
    now = status(root)
    equal((now["remapped_sectors"], now["lost_sectors"]), (8, 0), "and it does its work")


def removal_waits_for_the_set(root):
    said = root.apt("remove", "dm-remap", expect=100)
    check("data is running" in said.out + said.err, f"refused: {said}")
    equal(root.unit(UNIT, "ActiveState")["ActiveState"], "active", "the set goes on")
    root.run("dmremap-lab", "clear", "/srv/lab/disk")
    root.run("dmremap", "unremap", "data", "--all")
    root.run("systemctl", "stop", UNIT)
    equal(root.unit(UNIT, "ActiveState", "Result"), {"ActiveState": "inactive", "Result": "success"}, "stopped")
    root.run("dmremap-lab", "stop", "/srv/lab/disk")
    root.apt("purge", *NAMES)
    listed = root.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "*remap*").out
    equal(listed, "", "units that systemd still knows")
    equal(root.run("systemctl", "list-unit-files", "--no-legend", "*remap*", expect=None).out, "", "files of units")


def upgrade(t):
    root = booted_root.BootedRoot(t)
    root.apt("update")
    root.apt("install", "systemd")
    root.install(minimal_root.packages(*NAMES))
    root.boot(t)
    listed = root.run("systemctl", "list-units", "--all", "--plain", "--no-legend", "dmremap*", "dm-remap*").out
    equal(listed, "", "units that an installation has started")
    root.run("systemctl", "start", MONITOR)
    device = serve(t, root)
    upgrade_stops_nothing(t, root, device)
    removal_waits_for_the_set(root)


minimal_root.own_mounts()
support.run_test(upgrade, root=True, fuse=True, loop=True,
                 programs=["mmdebstrap", "dpkg-deb", "unshare", "nsenter", "chroot"])
