#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The daemon cannot deadlock on its own device (promise 11): daemon and writers share one memory
cgroup of 128 MiB, ext4 lies on the loop device over FUSE, and the writers dirty several times the
cgroup's memory while sectors fail, so that remapping commits too when memory can only be had by
writing to the device that needs it. Nobody may stand still for long, and all of it must be there.

    reclaim_trial.py --control

runs the same writers over a server that has none of it: buffered backing I/O, memory not locked,
not an I/O flusher (the lab, put into the group). It hangs at once with version 1 of memory cgroups
(Linux 6.18): its threads wait, in reclaim, for write-back of pages that only they can write; lifting
the limit does not help, only ending the FUSE connection, as is done here after a minute. It is run
by hand because other kernels may let it pass. The daemon itself hung in the same way, in one of
three runs, while its heap was not reserved: it then took some 1,400 page faults in a run, which is
why there may be hardly any."""

import contextlib
import hashlib
import os
import random
import subprocess
import sys
import threading
import time

import memory_group
import product
import support
from capabilities import CAP_IPC_LOCK, CAP_SYS_RESOURCE, may
from support import KIB, MIB, SECTOR, check, equal

GROUP_BYTES = 128 * MIB
DISK_BYTES = 1024 * MIB
WRITERS, FILE_BYTES = 4, 160 * MIB
CHUNK = 512 * KIB
# The windows are memory too: with the daemon's they leave some 20 MiB to what is written.
CHUNKS, WINDOW = FILE_BYTES // CHUNK, 16
# No writer, whatever it waits for, may go without a step for longer; on a busy machine with two
# cores a step (512 KiB, or the last fsync of what the group can hold) takes a second or two.
STALL_S = 60
ALL_S = 400

# Everything was there before; a page or two is for a control connection.
MOST_MINOR_FAULTS = 16

# include/linux/sched.h, PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE: what PR_SET_IO_FLUSHER sets.
IO_FLUSHER = 0x00080000 | 0x00100000


# --- the writers: one process of threads, in the group ----------------------------------------

def chunk_of(writer, number):
    return random.Random(writer * 1_000_003 + number).randbytes(CHUNK)


def write_file(directory, writer):
    """Even ones write from front to back and fsync at the end; odd ones write pages all over a
    window of a few MiB, so that reclaim meets them scattered, and never fsync."""
    size = CHUNK if writer % 2 == 0 else 4 * KIB
    order = random.Random(writer)
    with open(os.path.join(directory, f"file{writer}"), "wb", buffering=0) as file:
        for first in range(0, CHUNKS, WINDOW):
            chunks = None  # the last ones first make room
            chunks = {n: chunk_of(writer, n) for n in range(first, first + WINDOW)}
            pieces = [(n, at) for n in chunks for at in range(0, CHUNK, size)]
            if writer % 2 != 0:
                order.shuffle(pieces)
            for done, (n, at) in enumerate(pieces, 1):
                os.pwrite(file.fileno(), chunks[n][at:at + size], n * CHUNK + at)
                if done * size % CHUNK == 0:
                    tell(writer, "chunk")
        if writer % 2 == 0:
            os.fsync(file.fileno())
    tell(writer, "end")


def tell(writer, step):
    os.write(1, f"{writer} {step}\n".encode())  # one call: lines of threads do not mix


def write_all(directory):
    threads = [threading.Thread(target=write_file, args=(directory, writer))
               for writer in range(WRITERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def expected_hash(writer):
    digest = hashlib.sha256()
    for number in range(CHUNKS):
        digest.update(chunk_of(writer, number))
    return digest.hexdigest()


# --- watching them -----------------------------------------------------------------------------

class Watch:
    """Runs the writers in the group and measures how long each stood still."""

    def __init__(self, t, group, directory):
        with group:
            self.process = subprocess.Popen(
                [sys.executable, os.path.abspath(__file__), "--writers", directory],
                stdout=subprocess.PIPE, text=True)
        self.ended = set()
        self.longest_s = 0.0
        self._last = {writer: time.monotonic() for writer in range(WRITERS)}
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stdout:
            writer, step = line.split()
            self.note(int(writer), time.monotonic())
            if step == "end":
                self.ended.add(int(writer))

    def note(self, writer, now):
        self.longest_s = max(self.longest_s, now - self._last[writer])
        self._last[writer] = now

    def standing_s(self):
        now = time.monotonic()
        return max((now - at for writer, at in self._last.items() if writer not in self.ended),
                   default=0.0)

    def wait(self, seconds):
        """True if all ended, False if one stood still or time ran out."""
        deadline = time.monotonic() + seconds
        while self.process.poll() is None:
            if self.standing_s() > STALL_S or time.monotonic() > deadline:
                return False
            time.sleep(0.2)
        self._reader.join(timeout=5)
        equal(self.process.returncode, 0, "the writers' exit")
        return True


def dump(pids):
    """What a process that stands still waits for."""
    for pid in pids:
        for task in sorted(os.listdir(f"/proc/{pid}/task")):
            print(f"--- {pid}/{task}")
            for name in ("status", "stack"):
                with contextlib.suppress(OSError):
                    with open(f"/proc/{pid}/task/{task}/{name}", encoding="utf-8") as file:
                        lines = file.read().splitlines()
                    print("\n".join(l for l in lines if name == "stack"
                                    or l.startswith(("Name", "State", "VmLck", "VmRSS"))))


def end_stalled(group, watch, pids, served):
    """Takes a hang apart so that the machine gets its devices back."""
    dump(pids + [watch.process.pid])
    print(f"standing still for {watch.standing_s():.0f} s: lifting the limit", flush=True)
    lifted = time.monotonic()
    group.lift()
    with contextlib.suppress(subprocess.TimeoutExpired):
        watch.process.wait(timeout=300)
        print(f"{time.monotonic() - lifted:.1f} s later it was over", flush=True)
        return
    # Who waits for what only it can write does not end, killed or not, while that can still come.
    print("still: ending the FUSE connection", flush=True)
    watch.process.kill()
    abort_connection(served)
    with contextlib.suppress(subprocess.TimeoutExpired):
        watch.process.wait(timeout=300)


def abort_connection(served):
    """Fails everything that waits for the server of a FUSE mount (Documentation/filesystems/fuse)."""
    control = "/sys/fs/fuse/connections"
    mounted = os.path.ismount(control)
    if not mounted:
        support.run("mount", "-t", "fusectl", "none", control)
    try:
        with open("/proc/self/mountinfo", encoding="utf-8") as table:
            device = next(line.split()[2] for line in table if line.split()[4] == served)
        with open(f"{control}/{device.split(':')[1]}/abort", "w", encoding="utf-8") as file:
            file.write("1")
    finally:
        if not mounted:
            support.unmount(control)


# --- the daemon --------------------------------------------------------------------------------

def fields_of(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8") as file:
        lines = dict(line.split(":", 1) for line in file)
    kib = {name: int(lines[name].split()[0]) for name in ("VmSize", "VmLck", "VmRSS")}
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        stat = file.read().rpartition(")")[2].split()
    return {**kib, "minor_faults": int(stat[7]), "major_faults": int(stat[9])}


def tasks_without_flusher(pid):
    found = []
    for task in os.listdir(f"/proc/{pid}/task"):
        # The kernel's own workers for io_uring come and go.
        with contextlib.suppress(FileNotFoundError):
            with open(f"/proc/{pid}/task/{task}/stat", encoding="utf-8") as file:
                flags = int(file.read().rpartition(")")[2].split()[6])
            if flags & IO_FLUSHER != IO_FLUSHER:
                found.append(task)
    return found


def unlocked_mappings(pid):
    """Of all that a request may touch: what the daemon writes to, its program, and the libraries
    that requests run through. The code of others may be read again from their files, which do not
    lie on its device."""
    needed = ("/dmremap", "/libc.so", "/libfmt.so", "/libfuse3.so", "/libisal.so", "/libstdc++.so", "/liburing.so")
    found, name, wanted = [], "", False
    with open(f"/proc/{pid}/smaps", encoding="utf-8") as file:
        for line in file:
            key = line.split(maxsplit=1)[0]
            if not key.endswith(":"):
                fields = line.split(maxsplit=5)
                access, name = fields[1], fields[5].strip() if len(fields) > 5 else "memory"
                private = access[3] == "p" and access[0] == "r"
                wanted = private and ("w" in access or any(part in name for part in needed))
            elif key == "VmFlags:" and wanted and "lo" not in line.split():
                found.append(name)
    return found


def expect_protected(pid):
    fields = fields_of(pid)
    print(f"daemon: VmLck {fields['VmLck']} KiB (addresses), VmRSS {fields['VmRSS']} KiB", flush=True)
    if may(CAP_IPC_LOCK):
        equal(unlocked_mappings(pid), [], "memory of the daemon that is not locked")
    check(fields["VmRSS"] * KIB < GROUP_BYTES * 5 // 8, "the daemon leaves room for the others")
    threads = len(os.listdir(f"/proc/{pid}/task"))
    without = tasks_without_flusher(pid)
    with open(f"/proc/{pid}/oom_score_adj", encoding="utf-8") as file:
        score = file.read().strip()
    may_flush = may(CAP_SYS_RESOURCE)
    print(f"I/O flushers: {threads - len(without)} of {threads} threads; oom_score_adj {score}"
          f"{'' if may_flush else ' (no CAP_SYS_RESOURCE here)'}", flush=True)
    if may_flush:
        equal(without, [], "threads that are not I/O flushers")
        equal(score, "-1000", "oom_score_adj")
    return fields


def fail_more(disk, stop):
    """Sectors that go bad while the writers write."""
    sector = 20011
    while not stop.wait(0.25) and sector < DISK_BYTES // SECTOR:
        disk.fault("write", f"{sector}+3")
        sector += 9973


def trial(t, group):
    disk = t.lab(size=DISK_BYTES)
    for sector in range(4096, DISK_BYTES // SECTOR, 30011):
        disk.fault("write", f"{sector}+2")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "64MiB")
    with group:
        device = dm.start("block")
    pid = dm.status()["pid"]
    check(pid in group.processes(), "the daemon is in the group")
    before = expect_protected(pid)
    # Not lazily: the tables are the disk's too.
    support.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device)
    mount = t.mount(device)

    stop = threading.Event()
    injector = threading.Thread(target=fail_more, args=(disk, stop))
    injector.start()
    begin = time.monotonic()
    watch = Watch(t, group, mount)
    went = watch.wait(ALL_S)
    stop.set()
    injector.join()
    if not went:
        end_stalled(group, watch, [pid], support.loop_backing(device))
    check(went, "a writer stood still")
    seconds = time.monotonic() - begin
    support.run("umount", mount, timeout=STALL_S)
    facts = group.facts()
    after = fields_of(pid)
    total = WRITERS * FILE_BYTES // MIB
    print(f"{total} MiB in {seconds:.1f} s, the longest that a writer stood still "
          f"{watch.longest_s:.1f} s; the group had "
          f"{facts['bytes'] / MIB:.1f} MiB at most, {facts['killed']} were killed", flush=True)
    print(f"daemon after it: VmLck {after['VmLck']} KiB, VmRSS {after['VmRSS']} KiB, "
          f"{after['minor_faults'] - before['minor_faults']} minor and "
          f"{after['major_faults'] - before['major_faults']} major page faults", flush=True)
    check(facts["bytes"] > GROUP_BYTES - MIB, "memory was never short: the trial tried nothing")
    equal(after["major_faults"], before["major_faults"], "major page faults of the daemon")
    # An I/O flusher makes threads when they are needed: its allocations do not wait for its device.
    if may(CAP_IPC_LOCK) and not may(CAP_SYS_RESOURCE):
        check(after["minor_faults"] - before["minor_faults"] <= MOST_MINOR_FAULTS,
              "the daemon had to ask the kernel for memory")
    equal(unlocked_mappings(pid) if may(CAP_IPC_LOCK) else [], [], "not locked after it")
    status = dm.status()
    print(f"remapped meanwhile: {status['remapped_sectors']} sectors", flush=True)
    check(status["remapped_sectors"] > 0, "sectors were remapped under memory pressure")
    equal(status["conditions"], ["healthy"], "conditions")

    group.lift()
    support.run("e2fsck", "-f", "-n", device)
    mount = t.mount(device, "again", "-o", "ro")
    for writer in range(WRITERS):
        with open(os.path.join(mount, f"file{writer}"), "rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        equal(digest, expected_hash(writer), f"sha256 of file{writer}")


def control(t, group):
    image = t.image("control.img", DISK_BYTES)
    with group:
        disk = t.lab(image=image)
    device = t.loop(disk.path)
    support.run("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device)
    mount = t.mount(device)
    begin = time.monotonic()
    watch = Watch(t, group, mount)
    server = [pid for pid in group.processes() if pid != watch.process.pid]
    if watch.wait(ALL_S):
        print(f"the control went through in {time.monotonic() - begin:.1f} s, the longest that a "
              f"writer stood still {watch.longest_s:.1f} s")
    else:
        end_stalled(group, watch, server, disk.path)
    print(group.facts(), flush=True)


def reclaim_trial(t):
    group = memory_group.MemoryGroup(t, GROUP_BYTES)
    print(f"memory cgroup v{group.version}, {GROUP_BYTES // MIB} MiB", flush=True)
    (control if "--control" in sys.argv else trial)(t, group)


if "--writers" in sys.argv:
    write_all(sys.argv[-1])
else:
    support.run_test(reclaim_trial, root=True, fuse=True, loop=True, memory_group=True,
                     programs=["mkfs.ext4", "e2fsck"])
