#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the way through dm-remap costs: random reads and writes, of 4 KiB at depth 32 unless
asked otherwise (--block 1m --depth 4), through the block device of a healthy set, against a loop device on a bare image and against a loop device on nbdfuse
on nbdkit's file plugin, which is what one would put together without dm-remap. To tell what the
difference to the bare loop device goes to, the same FUSE front end also serves an engine that only
copies memory (tests/fuse/ram_server.cpp). All images lie in memory, all loop devices do direct I/O.

Run-to-run spread on a shared machine is larger than many an effect. So they are measured in turn,
round by round, beginning with another one each time, and the ratio is taken within each round; what
is quoted is its median with the 95 % interval that order statistics give."""

import argparse
import json
import os
import sys
import tempfile

_TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests")
sys.path[1:1] = [_TESTS, os.path.join(_TESTS, "fuse")]

import product
import ram_disk
import support
from pairs import IMAGE_BYTES, end_by_pid_file, filled_image, text

BARE, NBDFUSE, OURS, MEMORY = "bare loop", "nbdfuse", "dm-remap", "FUSE over memory"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=1, help="of one measurement")
    parser.add_argument("--block", default="4k", help="the size of a request (default: %(default)s)")
    parser.add_argument("--depth", type=int, default=32, help="requests at a time (default: %(default)s)")
    parser.add_argument("--dir", default="/dev/shm",
                        help="where the images go for the time being (default: %(default)s)")
    return parser.parse_args()


def measure(device, what, arguments):
    """(requests a second, 99th percentile of their latency in microseconds)"""
    options = ["--readonly"] if what == "read" else []
    seconds = arguments.seconds
    done = support.run(
        "fio", "--name=bench", f"--filename={device}", *options, f"--rw=rand{what}",
        f"--bs={arguments.block}", "--direct=1", "--ioengine=libaio", f"--iodepth={arguments.depth}", "--time_based",
        f"--runtime={int(seconds * 1000)}ms", "--ramp_time=200ms", "--norandommap",
        "--output-format=json", timeout=seconds + 60)
    found = json.loads(done.out[done.out.index("{"):])["jobs"][0][what]
    return found["iops"], found["clat_ns"]["percentile"]["99.000000"] / 1000


def nbdfuse(t):
    """A loop device over nbdfuse over nbdkit."""
    socket, mount = t.path("nbd.sock"), t.path("nbdfuse")
    pids = {name: t.path(name + ".pid") for name in ("nbdkit", "nbdfuse")}
    support.run("nbdkit", "-P", pids["nbdkit"], "-U", socket, "file", filled_image(t, "nbd.img"))
    t.cleanup.push(end_by_pid_file, pids["nbdkit"])
    os.mkdir(mount)
    node = os.path.join(mount, "disk")
    t.cleanup.push(support.unmount, mount, missing_ok=True)
    # In the background by itself it has no mode for this; it ends when it is unmounted.
    os.posix_spawnp("nbdfuse", ["nbdfuse", "-P", pids["nbdfuse"], node,
                                f"nbd+unix:///?socket={socket}"], os.environ)
    support.wait_until(lambda: os.path.exists(pids["nbdfuse"]), "nbdfuse")
    return t.loop(node)


def compare(t, arguments):
    pairs, seconds = arguments.pairs, arguments.seconds
    bare = t.loop(filled_image(t, "bare.img"))
    other = nbdfuse(t)
    dm = product.Product(t, filled_image(t, "main.img"), t.path("spare"))
    dm.create("--spare-size", "64MiB")
    memory = ram_disk.RamDisk(t, size=IMAGE_BYTES, block=512)
    devices = {BARE: bare, NBDFUSE: other, OURS: dm.start("block"), MEMORY: memory.node}
    names = list(devices)

    print(f"\n### Through the block device: {arguments.block}, random, depth {arguments.depth}\n")
    print(f"{pairs} rounds of {seconds} s each, images in memory. "
          f"Load average before: {os.getloadavg()[0]:.1f}\n")
    print("| requests | a second: " + " | ".join(names) + " | dm-remap to bare loop | to nbdfuse "
          "| to FUSE over memory | its time to that of FUSE over memory and bare loop together | 99 % in us: " + " | ".join(names) + " |")
    print("| --- |" + " --: |" * (2 * len(names) + 4), flush=True)
    for what in ("read", "write"):
        found = {name: [] for name in names}
        for number in range(pairs + 1):
            turn = number % len(names)
            for name in names[turn:] + names[:turn]:
                found[name].append(measure(devices[name], what, arguments))
        for name in names:
            del found[name][0]  # warmed up

        def rate(name):
            return [one for one, _ in found[name]]

        def ratio(base):
            return [ours / other for ours, other in zip(rate(OURS), rate(base))]

        print(f"| {what}s | " + " | ".join(
            [text(rate(name), 0) for name in names] + [text(ratio(name)) for name in (BARE, NBDFUSE, MEMORY)] +
            [text([1 / ours / (1 / hop + 1 / disk) for ours, hop, disk in
                   zip(rate(OURS), rate(MEMORY), rate(BARE))])] +
            [text([late for _, late in found[name]], 0) for name in names]) + " |", flush=True)
    print(f"\nLoad average after: {os.getloadavg()[0]:.1f}")


def main():
    arguments = parse_arguments()
    missing = support.what_is_missing(root=True, fuse=True, loop=True,
                                      programs=("fio", "nbdkit", "nbdfuse"))
    if missing is not None:
        print(f"bench: {missing}", file=sys.stderr)
        return 2
    tempfile.tempdir = arguments.dir

    def frontend(t):
        compare(t, arguments)

    support.run_test(frontend)
    return 0


if __name__ == "__main__":
    sys.exit(main())
