#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The systemd unit is one that systemd takes, that hides nothing from its users, and whose bounds
leave the daemon what it needs."""

import os
import re
import subprocess

import product
import support
from support import check, equal

# Each of them gives the service a mount namespace: the file mounted for the device would be seen by
# nobody else (systemd.exec(5)).
MOUNT_NAMESPACE = {
    "PrivateMounts", "PrivateTmp", "PrivateDevices", "ProtectSystem", "ProtectHome", "ProtectProc",
    "ProcSubset", "ProtectKernelTunables", "ProtectKernelModules", "ProtectKernelLogs",
    "ProtectControlGroups", "ReadOnlyPaths", "ReadWritePaths", "InaccessiblePaths", "BindPaths",
    "BindReadOnlyPaths", "TemporaryFileSystem", "RootDirectory", "RootImage", "MountFlags",
    "DynamicUser", "PrivateUsers", "PrivateIPC", "PrivateNetwork", "RuntimeDirectory"}
EXPOSURE_MAX = 4.5  # of 10; CAP_SYS_ADMIN and what needs a mount namespace are the rest


def settings(path):
    with open(path, encoding="utf-8") as file:
        return [line.rstrip("\n").partition("=")[::2] for line in file
                if re.match(r"[A-Za-z]+=", line)]


def bounded(unit):
    """setpriv with the capabilities of the unit and no more."""
    kept = next(value for key, value in unit if key == "CapabilityBoundingSet").split()
    bounds = ",".join(["-all", *("+" + name.lower().removeprefix("cap_") for name in kept)])
    return ["setpriv", "--bounding-set", bounds, "--inh-caps", "-all", "--no-new-privs"]


def complaints(text):
    return {line.rpartition("less protected")[2] for line in text.splitlines()
            if "less protected" in line}


def without_bounds(dm):
    """What the daemon lacks on this machine as it is."""
    daemon = subprocess.Popen([support.DMREMAP, "start", dm.name, "--foreground"],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    daemon.stdout.readline()
    dm.stop()
    return complaints(daemon.communicate(timeout=300)[1])


def check_bounds(t, unit):
    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    lacking = without_bounds(dm)
    daemon = subprocess.Popen(
        [*bounded(unit), support.DMREMAP, "start", dm.name, "--foreground"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    t.cleanup.push(daemon.kill)
    device = daemon.stdout.readline().strip()
    check(device.startswith("/dev/"), f"a block device: {device!r}")
    disk.fault("write", "2048+8")
    support.write_sectors(device, 2048, support.pattern(2048, 8))
    equal(dm.status()["remapped_sectors"], 8, "it does its work")
    support.run("mkfs.ext4", "-q", device)
    mount = t.mount(device)
    error = dm.run("stop", dm.name, "--json", expect=3).error_json()
    check("mounted" in error["what"], f"a device in use stays: {error}")
    support.unmount(mount)

    stop = next(value for key, value in unit if key == "ExecStop").replace("%i", dm.name)
    command, name = re.fullmatch(r"/bin/sh -c '(.*)' (.*)", stop).groups()
    support.run("sh", "-c", command.replace("$$", "$"), name)
    equal(daemon.wait(timeout=300), 0, "ended by ExecStop")
    equal(complaints(daemon.stderr.read()) - lacking, set(), "protection that the bounds take away")


def service(t):
    support.run("make", "-C", support.ROOT, "--assume-old=build", "install", "DESTDIR=",
                f"PREFIX={t.path('prefix')}")
    directory = t.path("prefix/lib/systemd/system")
    os.symlink("dmremap@.service", os.path.join(directory, "dmremap@backup.service"))
    verified = support.run(
        "systemd-analyze", "verify", os.path.join(directory, "dmremap@backup.service"),
        env={**os.environ, "MANPATH": t.path("prefix/share/man")})
    ours = [line for line in verified.err.splitlines() if "dmremap" in line]
    equal(ours, [], "what systemd says of the unit")
    others = sorted(name for name in os.listdir(directory) if name.startswith("dm-remap-"))
    verified = support.run("systemd-analyze", "verify",
                           *(os.path.join(directory, name) for name in others), expect=None,
                           env={**os.environ, "MANPATH": t.path("prefix/share/man")})
    equal(len(others), 6, "units beside it")
    equal([line for line in verified.err.splitlines() if "dm-remap" in line or "dmremap" in line], [],
          "what systemd says of the others")

    unit = settings(os.path.join(directory, "dmremap@.service"))
    equal([key for key, _ in unit if key in MOUNT_NAMESPACE], [], "settings that hide the device")
    for wanted in [("Type", "notify"), ("SendSIGKILL", "no"), ("KillMode", "process"),
                   ("LimitMEMLOCK", "infinity"), ("OOMScoreAdjust", "-1000")]:
        check(wanted in unit, f"the unit has {'='.join(wanted)}")
    security = support.run("systemd-analyze", "security", "--offline=true", "--no-pager",
                           os.path.join(directory, "dmremap@.service"), expect=None)
    level = re.search(r"exposure level for \S+: ([0-9.]+)", security.out)
    check(level is not None, f"a score: {security}")
    print(f"exposure level {level.group(1)} (0 is none, 10 is all)", flush=True)
    check(float(level.group(1)) <= EXPOSURE_MAX, f"exposure level {level.group(1)}")
    check_bounds(t, unit)


support.run_test(service, root=True, fuse=True, loop=True,
                 programs=["make", "cmake", "systemd-analyze", "setpriv", "mkfs.ext4"])
