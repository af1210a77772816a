#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""How many instructions the engine adds to a clean 4 KiB request above a plain pread or pwrite to
the same file: counted one by one by callgrind, the same on every run of the same build. Fails above
the limit, so that what every request pays cannot grow unseen. What the NBD front end adds to the
engine is printed beside it; what nbdkit itself runs is not counted."""

import argparse
import glob
import os
import re
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
LIMIT = 273


def counts(program, requests, directory):
    """{kind: instructions in all}, from callgrind's dumps."""
    out = os.path.join(directory, "callgrind")
    # Of the first thread only, which makes the requests: the engine's own may still be starting.
    done = subprocess.run(
        ["valgrind", "--tool=callgrind", "--separate-threads=yes",
         f"--callgrind-out-file={out}", program, str(requests)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    if done.returncode != 0:
        sys.exit(f"instructions: valgrind failed:\n{done.stdout}")
    found = {}
    for path in glob.glob(out + ".*-01"):
        with open(path) as file:
            text = file.read()
        kind = re.search(r"^desc: Trigger: Client Request: (.*)$", text, re.MULTILINE)
        total = re.search(r"^(?:totals|summary): (\d+)$", text, re.MULTILINE)
        if kind and total:
            found[kind.group(1).strip()] = int(total.group(1))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("program", help="bench_instructions")
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--limit", type=int, default=LIMIT)
    arguments = parser.parse_args()
    if shutil.which("valgrind") is None:
        print("instructions: skipped: valgrind is not installed")
        return SKIPPED
    with tempfile.TemporaryDirectory(prefix="dmremap-instructions-") as directory:
        found = counts(arguments.program, arguments.requests, directory)

    print("\n### Instructions of a clean 4 KiB request\n")
    print(f"{arguments.requests} requests of each kind, callgrind; limit {arguments.limit} added\n")
    print("| request | plain | through the engine | added | with 1 % of the blocks remapped, added "
          "| begun and finished, added | by NBD, of our own | added |")
    print("| --- | --: | --: | --: | --: | --: | --: | --: |")
    worst = 0
    for what, call in (("read", "pread"), ("write", "pwrite")):
        plain = found[f"plain {what}"] / arguments.requests
        engine = found[f"engine {what}"] / arguments.requests
        among = found[f"engine {what}, 1 % remapped"] / arguments.requests
        worst = max(worst, engine - plain)
        begun = found[f"begun {what}"] / arguments.requests
        by_nbd = found[f"nbd {what}"] / arguments.requests
        print(f"| {what} | {plain:.1f} ({call}) | {engine:.1f} | {engine - plain:.1f} "
              f"| {among - plain:.1f} | {begun - plain:.1f} | {by_nbd:.1f} | {by_nbd - plain:.1f} |")
    if worst > arguments.limit:
        print(f"\ninstructions: {worst:.1f} is above the limit", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
