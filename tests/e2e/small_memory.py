#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""64 MiB of memory in all will do: the set's process, the verbs and who uses the device share one memory
cgroup of that size, without swap. A set is made, started, written and read through the page cache and
past it in requests of 1 MiB while sectors fail, copied, killed, started again and stopped; nobody is
killed for want of memory, and all data is there. The program is a copy that was made in the group, so
that its pages count there; those of the libraries count wherever they were read first."""

import memory_group
import product
import support
from support import MIB, SECTOR, check, equal

GROUP_BYTES = 64 * MIB
DISK_BYTES = 128 * MIB
BAD = range(4096, DISK_BYTES // SECTOR, 30011)


def _report(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        kib = {key: int(value.split()[0]) for key, value in (line.split(":", 1) for line in file)
               if key in ("VmHWM", "VmLck", "RssAnon", "RssFile", "RssShmem")}
    print("the set's process: " + ", ".join(f"{key} {value / 1024:.1f} MiB" for key, value in kib.items()),
          flush=True)


def _start(group, dm):
    with group:
        device = dm.start("block")
    pid = dm.status()["pid"]
    check(pid in group.processes(), "the set's process is in the group")
    return device, pid


def _use(group, device, data):
    with group:
        support.run("dd", f"if={data}", f"of={device}", "bs=1M", "conv=notrunc,fsync", "status=none")
        support.run("cmp", data, device)
        support.run("dd", f"if={data}", f"of={device}", "bs=1M", "conv=notrunc,fsync", "oflag=direct",
                    "status=none")
        support.run("dd", f"if={device}", "of=/dev/null", "bs=1M", "iflag=direct", "status=none")


def _look(group, dm):
    with group:
        for verb in (("status", dm.name), ("list", "-a"), ("events", dm.name), ("map", dm.name),
                     ("examine", dm.spare)):
            dm.run(*verb, expect=(0, 4))


def small_memory(t):
    disk = t.lab(size=DISK_BYTES)
    data = t.random_file("data", DISK_BYTES)
    dm = product.Product(t, disk.path, t.path("spare"))
    group = memory_group.MemoryGroup(t, GROUP_BYTES)
    program = t.path("dmremap")
    with group:
        support.run("cp", support.DMREMAP, program)
        support.DMREMAP = program
        dm.create("--spare-size", "32MiB")
    device, pid = _start(group, dm)
    for sector in BAD:
        disk.fault("write", f"{sector}+2")
    _use(group, device, data)
    check(dm.status()["remapped_sectors"] >= len(BAD), "sectors were remapped meanwhile")
    _look(group, dm)
    target = t.path("copy.img")
    with group:
        done = dm.run("copy", dm.name, target, "--json", timeout=600).json()
    equal(done["copied_sectors"], DISK_BYTES // SECTOR, "sectors copied")
    support.run("cmp", data, target)
    _report(pid)
    dm.kill()
    device, pid = _start(group, dm)
    _use(group, device, data)
    _report(pid)
    with group:
        support.run("cmp", data, device)
        dm.stop()
        dm.run("check", dm.spare, dm.main)
    facts = group.facts()
    print(f"all together: {facts['bytes'] / MIB:.1f} of {GROUP_BYTES // MIB} MiB at most, with what is "
          f"cached; {facts['killed']} were killed", flush=True)
    equal(facts["killed"], 0, "killed for want of memory")
    check(facts["bytes"] > GROUP_BYTES - MIB, "memory was never short: nothing was tried")


support.run_test(small_memory, root=True, fuse=True, loop=True, memory_group=True)
