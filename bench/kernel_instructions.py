#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How many instructions a 4 KiB request takes: in the kernel, to a bare disk, through dm-linear and
through the kernel target, on each kernel that guests run; and of user, kernel and server together, by a
set that is served by loop over FUSE, by ublk and by the kernel target. They are counted by QEMU, one by one, and do not depend on
the machine. Fails above the limits, so that what every request pays cannot grow unseen."""

import os
import subprocess
import sys

sys.dont_write_bytecode = True
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path[:0] = [os.path.join(ROOT, "tests/guest"), os.path.join(ROOT, "tests")]

import kernels
import places
import support

PAYLOAD = "target-instructions"
SERVED = "set_instructions"
LIMIT = 1.02  # of dm-linear
WAYS = [("bare", "the disk itself"), ("linear", "dm-linear"), ("clear", "remap, all clear"),
        ("one-percent", "remap, 1 % of the regions marked")]
LIMITED = ("clear", "one-percent")


def costs(version):
    """{(way, operation): instructions}, or None where there is no such kernel."""
    built = subprocess.run([os.path.join(ROOT, "tools/kernel-module"), version],
                           stdout=subprocess.DEVNULL, check=False)
    if built.returncode == support.SKIPPED:
        return None
    done = subprocess.run([os.path.join(ROOT, "tests/guest/guest"), "run", "--quiet", "--kernel",
                           version, PAYLOAD], stdout=subprocess.PIPE, text=True, check=False)
    path = os.path.join(places.RESULTS, f"{PAYLOAD}.{version}", "files", "costs")
    if built.returncode != 0 or not os.path.exists(path):
        sys.exit(f"kernel_instructions: Linux {version}: {done.stdout}")
    with open(path, encoding="ascii") as file:
        return {(way, operation): int(count)
                for way, operation, _, count in (line.split() for line in file)}


def served_sets():
    """Prints what a set costs by each way that it can be served. False: a goal was missed."""
    subprocess.run([os.path.join(ROOT, "tools/kernel-module"), "6.12"], stdout=subprocess.DEVNULL,
                   check=False)
    print("\n### Instructions of a 4 KiB request to a set, its server's among them\n", flush=True)
    done = subprocess.run([os.path.join(ROOT, "tests/guest/guest"), "run", SERVED], check=False)
    return done.returncode in (0, support.SKIPPED)


def main():
    served_well = served_sets()
    print("\n### Instructions of a 4 KiB request in the kernel\n")
    print(f"Median of 3,000 requests of each kind, QEMU's icount; limit {LIMIT} of dm-linear\n")
    print("| Linux | by way of | read | of dm-linear | write | of dm-linear |")
    print("| --- | --- | --: | --: | --: | --: |")
    worst, measured = 0, 0
    for version in kernels.VERSIONS:
        found = costs(version)
        if found is None:
            print(f"| {version} | not to be had here | | | | |")
            continue
        measured += 1
        for way, name in WAYS:
            ratios = [found[way, operation] / found["linear", operation]
                      for operation in ("read", "write")]
            print(f"| {version} | {name} | {found[way, 'read']} | {ratios[0]:.4f} "
                  f"| {found[way, 'write']} | {ratios[1]:.4f} |")
            if way in LIMITED:
                worst = max(worst, *ratios)
    if measured == 0:
        print("\nkernel_instructions: skipped: no kernel for guests is to be had")
        return support.SKIPPED
    if worst > LIMIT:
        print(f"\nkernel_instructions: {worst:.4f} is above the limit", file=sys.stderr)
        return 1
    return 0 if served_well else 1


if __name__ == "__main__":
    sys.exit(main())
