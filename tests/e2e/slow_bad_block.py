#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A drive that takes a quarter of the deadline over each failed read or write of its bad blocks, and
two thirds of it over a healthy one: a request that meets them is answered by its deadline, and all other
requests go on unharmed meanwhile. What is known to be lost is answered at once.

Real drives take 7 s and 20 s, and the default deadline is 30 s: here all is shorter by the same factor.
Each case has a disk and a set of its own, and all of them run at once."""

import concurrent.futures
import errno
import json
import os
import shutil
import subprocess
import threading
import time

import product
import seals
import support
from support import KIB, MIB, SECTOR, check, equal, equal_bytes, pattern

MIB_SECTORS = MIB // SECTOR
BLOCK_SECTORS = 8
SLOW_S, HUNG_S = 2.8, 8
DEADLINE_S = 12
# A write's last try may not begin so late that it would end after the deadline.
ANSWERED_S = WRITTEN_S = DEADLINE_S + 2

# The bad block of each megabyte; one of them lies at its end.
BAD_READS = [at * MIB_SECTORS + inside for at, inside in ((10, 600), (20, 0), (31, 1024), (42, 2040))]
BAD_WRITE = 50 * MIB_SECTORS + 1000
HUNG = 60 * MIB_SECTORS + 64
OTHERS_FROM, OTHERS_MIB = 96, 64  # MiB

# One that waits for the bad block takes up to SLOW_S. Of a thousand requests a second some would wait
# nearly all of it, so what lies below is the machine: a disk shared with others can halt for a
# second or two.
WORST_S = SLOW_S - 0.4
AT_ONCE_S = 2.4  # the drive would take SLOW_S; whether it was asked is checked too
P99_S = 0.1
P99_RATIO = 20


class Others:
    """Random reads and writes of 4 KiB at depth 4 where nothing is bad, by another process."""

    def __init__(self, device, seconds):
        self.process = subprocess.Popen(
            ["fio", "--name=others", f"--filename={device}", "--rw=randrw", "--bs=4k",
             "--direct=1", "--ioengine=libaio", "--iodepth=4", f"--offset={OTHERS_FROM}m",
             f"--size={OTHERS_MIB}m", "--time_based", f"--runtime={seconds}",
             "--rate_iops=1000,1000", "--continue_on_error=all", "--output-format=json"],
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)

    def end(self):
        """For cleanup."""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()

    def result(self):
        out, _ = self.process.communicate(timeout=ANSWERED_S + 60)
        check("{" in out, f"fio said nothing: {out}")
        job = json.loads(out[out.find("{"):])["jobs"][0]
        equal(product.fio_errors(job), 0, "errors that the others met")
        kinds = [job["read"], job["write"]]
        return {"p99": max(k["clat_ns"]["percentile"]["99.000000"] for k in kinds) / 1e9,
                "worst": max(k["clat_ns"]["max"] for k in kinds) / 1e9,
                "requests": sum(k["total_ios"] for k in kinds)}


class Request(threading.Thread):
    """One request of a whole megabyte (or of `count` sectors): its answer and how long it took."""

    def __init__(self, device, sector, count=MIB_SECTORS, data=None):
        super().__init__(daemon=True)
        self.args = (device, sector, count, data)
        self.error, self.data, self.seconds = None, None, None
        self.start()

    def run(self):
        device, sector, count, data = self.args
        begin = time.monotonic()
        try:
            if data is None:
                self.data = support.read_sectors(device, sector, count)
            else:
                support.write_sectors(device, sector, data)
        except OSError as error:
            self.error = error.errno
        except Exception as error:  # a short answer, say: not what is expected either
            self.error = str(error)
        self.seconds = time.monotonic() - begin

    def answer(self):
        self.join(timeout=4 * DEADLINE_S)
        check(self.seconds is not None, "a request was never answered")
        return self.error


def megabyte_of(sector):
    return sector - sector % MIB_SECTORS


def watch_others(t, device, seconds):
    others = Others(device, seconds)
    t.cleanup.push(others.end)
    time.sleep(1)  # it is under way
    return others


def expect_unharmed(what, others, before=None):
    now = others.result()
    print(f"{what}: others made {now['requests']} requests, p99 {now['p99'] * 1e3:.2f} ms, "
          f"worst {now['worst'] * 1e3:.1f} ms", flush=True)
    if before is None:
        return now
    check(now["requests"] > 100 * ANSWERED_S, f"{what}: the others were held up: {now}")
    check(now["worst"] < WORST_S, f"{what}: one of the others took {now['worst']:.1f} s")
    allowed = max(P99_S, P99_RATIO * before["p99"])
    check(now["p99"] < allowed, f"{what}: p99 of the others {now['p99']:.3f} s")
    return now


def expect_refused_in_time(what, requests, others, before):
    """By the deadline, but for as long as the machine itself halted healthy requests meanwhile."""
    for request in requests:
        equal(request.answer(), errno.EIO, f"{what}: the read's answer")
    halted = expect_unharmed(what, others, before)["worst"]
    longest = max(r.seconds for r in requests)
    print(f"{what}: EIO after at most {longest:.1f} s", flush=True)
    check(longest < ANSWERED_S + halted, f"{what}: answered only after {longest:.1f} s")
    check(min(r.seconds for r in requests) > SLOW_S - 1, f"{what}: the drive was slow")


def expect_lost_at_once(disk, device, bad_reads):
    slow_before = disk.show()["counts"]["delayed"]
    for sector in bad_reads:
        for first, count in ((sector, BLOCK_SECTORS), (megabyte_of(sector), MIB_SECTORS)):
            request = Request(device, first, count)
            equal(request.answer(), errno.EIO, "what is lost")
            check(request.seconds < AT_ONCE_S, f"what is lost took {request.seconds:.1f} s")
        start = megabyte_of(sector)
        for first, end in ((start, sector), (sector + BLOCK_SECTORS, start + MIB_SECTORS)):
            if first < end:
                equal_bytes(support.read_sectors(device, first, end - first),
                            pattern(first, end - first, "old"), "around what is lost")
    equal(disk.show()["counts"]["delayed"], slow_before, "requests that met a bad block")


class Case:
    """A disk with its set and how the others fared before anything was asked of the bad blocks."""

    def __init__(self, t, name, image, bad_reads):
        self.t, self.name, self.bad_reads = t, name, bad_reads
        self.disk = t.lab(image=shutil.copyfile(image, t.path(f"{name}.img")))
        self.dm = product.Product(t, self.disk.path, t.path(f"{name}.spare"))
        self.dm.create("--spare-size", "32MiB")
        seals.set_request_deadline(self.dm.spare, DEADLINE_S * 1000)
        self.device = self.dm.start("block")
        for sector in bad_reads:
            self.disk.fault(f"slow:{int(SLOW_S * 1000)}+read", f"{sector}+{BLOCK_SECTORS}")
        self.before = None

    def watch_others(self, seconds):
        return watch_others(self.t, self.device, seconds)

    def measure_before(self):
        self.before = expect_unharmed(f"{self.name}, before", self.watch_others(6))

    def read_refused_in_time(self, readers):
        others = self.watch_others(ANSWERED_S)
        requests = [Request(self.device, megabyte_of(self.bad_reads[at % len(self.bad_reads)]))
                    for at in range(readers)]
        expect_refused_in_time(self.name, requests, others, self.before)

    def expect_lost(self):
        lost = BLOCK_SECTORS * len(self.bad_reads)
        support.wait_until(lambda: self.dm.status()["lost_sectors"] == lost,
                           f"{self.name}: the lost are listed", 90)
        expect_lost_at_once(self.disk, self.device, self.bad_reads)
        equal(self.dm.status()["lost_sectors"], lost, f"{self.name}: lost sectors, and none more")


def one_bad_megabyte(case):
    case.measure_before()
    case.read_refused_in_time(readers=1)
    case.expect_lost()


def three_bad_megabytes(case):
    case.measure_before()
    case.read_refused_in_time(readers=12)
    case.expect_lost()


def slow_write_and_hung_read(case):
    case.measure_before()
    disk, device = case.disk, case.device
    disk.fault(f"slow:{int(SLOW_S * 1000)}+write", f"{BAD_WRITE}+{BLOCK_SECTORS}")
    disk.fault(f"slow:{int(HUNG_S * 1000)}", f"{HUNG}+{BLOCK_SECTORS}")
    others = case.watch_others(WRITTEN_S)
    written = pattern(megabyte_of(BAD_WRITE), MIB_SECTORS, "new")
    write = Request(device, megabyte_of(BAD_WRITE), data=written)
    hung = Request(device, megabyte_of(HUNG))
    equal(hung.answer(), None, "the answer of the read that hung")
    equal_bytes(hung.data, pattern(megabyte_of(HUNG), MIB_SECTORS, "old"), "what hung")
    equal(write.answer(), None, "the write's answer")
    print(f"hung read: right after {hung.seconds:.1f} s; write over a bad block: acknowledged "
          f"after {write.seconds:.1f} s", flush=True)
    check(hung.seconds > HUNG_S - 1, "the drive hung")
    halted = expect_unharmed("a slow write and a hung read", others, case.before)["worst"]
    check(write.seconds < WRITTEN_S + halted, "the write took too long")
    disk.clear(f"{HUNG}+{BLOCK_SECTORS}")
    reread = Request(device, megabyte_of(BAD_WRITE))
    equal(reread.answer(), None, "the answer of reading back")
    equal_bytes(reread.data, written, "what was written over the bad block")
    case.expect_lost()


def slow_bad_block(t):
    image = t.image("old.img", (OTHERS_FROM + OTHERS_MIB) * MIB, fill="old")
    runs = [(one_bad_megabyte, Case(t, "one bad megabyte", image, BAD_READS[:1])),
            (three_bad_megabytes, Case(t, "three bad megabytes", image, BAD_READS[1:])),
            (slow_write_and_hung_read, Case(t, "slow write, hung read", image, []))]
    with concurrent.futures.ThreadPoolExecutor(len(runs)) as pool:
        for ended in [pool.submit(run, case) for run, case in runs]:
            ended.result()


support.run_test(slow_bad_block, root=True, fuse=True, loop=True, programs=["fio"])
