#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What the way through dm-remap costs: 4 KiB random reads at depth 32 through the block device of a
healthy set, against a loop device on a copy of the same image.

Run-to-run spread on a shared machine is larger than many an effect. So the two are measured in
turn, pair by pair in alternating order, and the ratio is taken within each pair; its median and its
range are what to quote."""

import argparse
import json
import os
import shutil
import statistics
import sys
import tempfile

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

import product
import support
from support import MIB

IMAGE_BYTES = 512 * MIB


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--seconds", type=int, default=3, help="of one measurement")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"),
                        help="where the images go for the time being (default: %(default)s)")
    return parser.parse_args()


def measure(device, seconds):
    """(reads a second, 99th percentile of their latency in microseconds)"""
    done = support.run(
        "fio", "--name=read", f"--filename={device}", "--readonly", "--rw=randread", "--bs=4k",
        "--direct=1", "--ioengine=libaio", "--iodepth=32", "--time_based", f"--runtime={seconds}",
        "--ramp_time=1", "--output-format=json", timeout=seconds + 60)
    read = json.loads(done.out[done.out.index("{"):])["jobs"][0]["read"]
    return read["iops"], read["clat_ns"]["percentile"]["99.000000"] / 1000


def compare(t, pairs, seconds):
    image, main = t.path("bare.img"), t.path("main.img")
    with open(image, "wb") as file:
        for _ in range(IMAGE_BYTES // MIB):
            file.write(os.urandom(MIB))
    shutil.copyfile(image, main)
    bare = t.loop(image)
    dm = product.Product(t, main, t.path("spare"))
    dm.create("--spare-size", "64MiB")
    remapped = dm.start("block")

    print(f"{pairs} pairs of {seconds} s, 4 KiB random reads, depth 32", flush=True)
    print(f"{'':>4}{'bare loop':>14}{'dm-remap':>14}{'ratio':>8}")
    found = []
    for number in range(pairs):
        order = [bare, remapped] if number % 2 == 0 else [remapped, bare]
        got = {device: measure(device, seconds) for device in order}
        found.append((got[bare], got[remapped]))
        (a, _), (b, _) = found[-1]
        print(f"{number + 1:>4}{a:>12.0f}/s{b:>12.0f}/s{b / a:>8.3f}", flush=True)
    summary(found)


def summary(found):
    def median(which, what):
        return statistics.median(pair[which][what] for pair in found)

    ratios = [pair[1][0] / pair[0][0] for pair in found]
    print(f"median reads a second: bare {median(0, 0):.0f}, dm-remap {median(1, 0):.0f}")
    print(f"median p99 latency:    bare {median(0, 1):.0f} us, dm-remap {median(1, 1):.0f} us")
    print(f"ratio within a pair:   median {statistics.median(ratios):.3f}, "
          f"from {min(ratios):.3f} to {max(ratios):.3f}")


def main():
    arguments = parse_arguments()
    missing = support.what_is_missing(root=True, fuse=True, loop=True, programs=("fio",))
    if missing is not None:
        print(f"bench: {missing}", file=sys.stderr)
        return 2
    tempfile.tempdir = arguments.dir

    def frontend(t):
        compare(t, arguments.pairs, arguments.seconds)

    support.run_test(frontend)
    return 0


if __name__ == "__main__":
    sys.exit(main())
