#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What an idle set costs: at most 32 MiB of locked memory and 16 threads, served as a block device over
FUSE. Prints which thread there is and what the locked memory consists of. A burst of requests has
more of both, which end some seconds after it.

A process without CAP_SYS_RESOURCE is no I/O flusher: memory that it asked for while its device is in
use might have to wait for that device. It has all threads from the start, and is held to that.

    idle_cost.py --all      prints every mapping, not only the largest"""

import collections
import os
import sys
import threading

import product
import support
from capabilities import CAP_SYS_RESOURCE, may
from support import KIB, MIB, check

GROWS = may(CAP_SYS_RESOURCE)
MOST_LOCKED_KIB, MOST_THREADS = (32 * KIB, 16) if GROWS else (56 * KIB, 34)
SHOWN = 12
# Threads end 5 s after they were needed last; on a busy machine two rounds may pass.
SETTLED_S = 60


def threads_of(pid):
    """How many have each name. The kernel's own workers for io_uring are none of the set's; and a log
    in memory, as in /run, needs no thread, which one in the directory of a test has."""
    names = collections.Counter()
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/comm", encoding="utf-8") as file:
            names[file.read().strip()] += 1
    return collections.Counter({name: count for name, count in names.items() if not name.startswith("iou-") and name != "log"})


def locked_of(pid):
    """KiB of locked addresses, by what they are."""
    kib = collections.Counter()
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            key = line.split(maxsplit=1)[0]
            if not key.endswith(":"):
                fields = line.split(maxsplit=5)
                begin, end = (int(number, 16) for number in fields[0].split("-"))
                size = (end - begin) // KIB
                path = fields[5].strip() if len(fields) > 5 else ""
                name = os.path.basename(path) or ("stacks" if size == 128 else "request memory and other")
            elif key == "VmFlags:" and "lo" in line.split():
                kib[name] += size
    return kib


def is_idle(pid):
    return sum(threads_of(pid).values()) <= MOST_THREADS and sum(locked_of(pid).values()) <= MOST_LOCKED_KIB


def report(pid, what):
    threads, locked = threads_of(pid), locked_of(pid)
    print(f"{what}: {sum(threads.values())} threads, {sum(locked.values())} KiB locked", flush=True)
    print("  threads: " + ", ".join(f"{name} {count}" if count > 1 else name
                                   for name, count in sorted(threads.items())))
    shown = None if "--all" in sys.argv else SHOWN
    for name, kib in locked.most_common(shown):
        print(f"  {kib:8} KiB  {name}")
    sys.stdout.flush()
    return sum(threads.values()), sum(locked.values())


def burst(device):
    """As many requests at the same time as the front end has threads for."""
    size = os.stat(device).st_size or 64 * MIB

    def read(number):
        fd = os.open(device, os.O_RDONLY)
        for i in range(64):
            os.pread(fd, MIB, (number * 7 + i) * MIB % (size - MIB))
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(fd)

    threads = [threading.Thread(target=read, args=(i,)) for i in range(24)]
    for thread in threads:
        thread.start()
    return threads


def idle_cost(t):
    dm = product.Product(t, t.image("main.img", "128MiB"), t.path("spare"))
    dm.create("--spare-size", "64MiB")
    device = dm.start("block")
    pid = dm.status()["pid"]
    support.wait_until(lambda: is_idle(pid), "an idle set", seconds=SETTLED_S)
    report(pid, "idle")
    if not GROWS:
        print("no CAP_SYS_RESOURCE here: all threads are there from the start", flush=True)
        return dm.stop()
    check(threads_of(pid)["fuse"] == 2, "one thread takes requests, one is on standby")
    most = 0
    readers = burst(device)
    while any(thread.is_alive() for thread in readers):
        most = max(most, threads_of(pid)["fuse"])
    check(most > 2, f"requests at the same time have threads of their own: {most}")
    print(f"with many requests: {most} threads for them", flush=True)
    support.wait_until(lambda: is_idle(pid), "idle again", seconds=SETTLED_S)
    report(pid, "idle again")
    dm.stop()


support.run_test(idle_cost, root=True, fuse=True, loop=True)
