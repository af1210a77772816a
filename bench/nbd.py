#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What NBD costs: a healthy set, whose process nbdkit relays to, against one inside an nbdkit that was
started by hand, nbdkit's file plugin and qemu-nbd over images of the same size, and the bare image
without NBD. fio's NBD engine (libnbd) is the client of all servers; each has one connection.

All images lie in memory (tmpfs), where there is no direct I/O: all servers go through the page cache,
qemu-nbd with cache=writeback. They are measured in turn, round by round, beginning with another one
each time, and the ratio is taken within each round; what is quoted is its median with the 95 %
interval that order statistics give."""

import argparse
import json
import os
import sys
import tempfile

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

import product
import support
from pairs import IMAGE_BYTES, end_by_pid_file, filled_image, text
from support import MIB

BARE, FILE, QEMU, OURS = "bare image", "file plugin", "qemu-nbd", "dm-remap"
HAND = "dm-remap by hand"
# (block size, depth)
LOADS = (("4k", 1), ("4k", 32), ("1m", 4))
URI = "nbd+unix:///?socket="


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=0.5, help="of one measurement")
    parser.add_argument("--quick", action="store_true", help="sizes that say nothing: a test")
    parser.add_argument("--dir", default="/dev/shm",
                        help="where the images go for the time being (default: %(default)s)")
    return parser.parse_args()


def measure(target, what, block, depth, seconds):
    """Requests a second."""
    if target.startswith(URI):
        engine = ["--ioengine=nbd", f"--uri={target}"]
    else:
        engine = ["--ioengine=libaio", f"--filename={target}"]
    done = support.run(
        "fio", "--name=bench", *engine, f"--rw=rand{what}", f"--bs={block}", f"--iodepth={depth}",
        "--time_based", f"--runtime={int(seconds * 1000)}ms", "--ramp_time=100ms",
        "--norandommap", "--output-format=json", timeout=seconds + 60)
    job = json.loads(done.out[done.out.index("{"):])["jobs"][0]
    support.check(job["error"] == 0 and job[what]["iops"] > 0, f"fio failed: {done}")
    return job[what]["iops"]


def servers(t, size):
    """{name: what fio is pointed at}"""
    found = {BARE: filled_image(t, "bare.img", size)}
    for name, command in (
            (FILE, ["nbdkit", "--unix", t.path("file.sock"), "--pidfile", t.path("file.pid"),
                    "file", filled_image(t, "file.img", size)]),
            (QEMU, ["qemu-nbd", "--socket", t.path("qemu.sock"), "--pid-file", t.path("qemu.pid"),
                    "--fork", "--persistent", "--format=raw", "--cache=writeback",
                    filled_image(t, "qemu.img", size)])):
        socket, pid = command[2], command[4]
        support.run(*command)
        t.cleanup.push(end_by_pid_file, pid)
        found[name] = URI + socket
    dm = product.Product(t, filled_image(t, "main.img", size), t.path("spare"))
    dm.create("--spare-size", "64MiB")
    found[OURS] = dm.start("nbd")
    hand = product.Product(t, filled_image(t, "hand.img", size), t.path("hand-spare"))
    hand.create("--spare-size", "64MiB")
    support.run("nbdkit", "--unix", t.path("hand.sock"), support.NBDKIT_PLUGIN, hand.name)
    support.wait_until(lambda: os.path.exists(t.path("hand.sock")), "nbdkit by hand")
    found[HAND] = URI + t.path("hand.sock")
    return found


def compare(t, pairs, seconds, size):
    targets = servers(t, size)
    names = list(targets)
    print("\n### By NBD, against other servers\n")
    print(f"{pairs} rounds of {seconds} s each, random, one connection, images in memory through the "
          f"page cache. Load average before: {os.getloadavg()[0]:.1f}\n")
    print("| requests | " + " | ".join(f"a second: {name}" if name == BARE else name
                                        for name in names) +
          f" | of {HAND} | of {FILE} | of {QEMU} | of {BARE} |")
    print("| --- |" + " --: |" * 9, flush=True)
    for block, depth in LOADS:
        for what in ("read", "write"):
            found = {name: [] for name in names}
            for number in range(pairs + 1):
                turn = number % len(names)
                for name in names[turn:] + names[:turn]:
                    found[name].append(measure(targets[name], what, block, depth, seconds))
            for name in names:
                del found[name][0]  # warmed up

            def ratio(base):
                return [ours / other for ours, other in zip(found[OURS], found[base])]

            print(f"| {what}s, {block}, depth {depth} | " +
                  " | ".join([text(found[name], 0) for name in names] +
                             [text(ratio(base)) for base in (HAND, FILE, QEMU, BARE)]) + " |",
                  flush=True)
    print(f"\nLoad average after: {os.getloadavg()[0]:.1f}")


def main():
    arguments = parse_arguments()
    tempfile.tempdir = arguments.dir
    pairs, seconds, size = arguments.pairs, arguments.seconds, IMAGE_BYTES
    if arguments.quick:
        pairs, seconds, size = 1, 0.1, 32 * MIB

    def nbd(t):
        compare(t, pairs, seconds, size)

    support.run_test(nbd, programs=("fio", "nbdkit", "qemu-nbd"))


if __name__ == "__main__":
    main()
