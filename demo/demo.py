#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A failing disk, twice: bare, and through dm-remap. The same files, the same faults, the same
work; at the end, what each user has left.

Exit status: 0 every check held, 1 one did not, 2 this machine cannot run it, 130 interrupted.
DMREMAP and DMREMAP_LAB name other programs than those in build/bin."""

import argparse
import os
import shutil
import sys
import tempfile

sys.path.insert(1, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "tests"))

import disk as disks
import faults
import interrupts
import lanes
import report
import support
from support import MIB

PROGRAMS = ("mkfs.ext4", "e2fsck", "debugfs", "dumpe2fs", "fio", "losetup", "mount")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="less of everything")
    parser.add_argument("--dir", default=os.environ.get("TMPDIR", "/var/tmp"),
                        help="where the images go for the time being (default: %(default)s)")
    return parser.parse_args()


def what_is_missing(scale, directory):
    """The reason why this machine cannot run the demo, or None."""
    missing = support.what_is_missing(root=True, fuse=True, loop=True, programs=PROGRAMS)
    if missing is not None:
        return missing
    for program in (support.DMREMAP, support.DMREMAP_LAB):
        if not os.access(program, os.X_OK):
            return f"needs {program}: run `make build`"
    needed = 3 * scale.image + 256 * MIB
    if shutil.disk_usage(directory).free < needed:
        return f"needs {needed // MIB} MiB free in {directory}: name another place with --dir"
    return None


def run(t, scale, console):
    """Both lanes; True if every check held."""
    console.title("an ext4 disk with real files")
    with console.step(f"filling a {scale.image // MIB} MiB disk from {', '.join(disks.SOURCES)}"):
        disk = disks.build(t, scale)
        plan = faults.plan(disk)
    size = sum(disk.sizes.values())
    console.line(f"{len(disk.manifest)} files, {size // MIB} MiB; {plan.count()} faults to come")

    console.title("lane 1: the bare failing disk")
    bare = lanes.Bare(t, disk, plan, console).run()
    console.title("lane 2: the same disk through dm-remap")
    remapped = lanes.Remapped(t, disk, plan, console).run()

    console.title("what each user has left")
    console.line(report.columns(bare, remapped), indent=0)
    for lane in (bare, remapped):
        console.line()
        console.line(f"{lane.title}: files not as their user left them")
        for line in report.losses(lane) or ["none"]:
            console.line(line, indent=4)
    console.line()
    status = remapped.status
    console.line(f"dm-remap moved {status['remapped_sectors']} sectors to the spare; "
                 f"{status['lost_sectors']} lost")
    console.title("checks")
    return report.checks(console, results(bare, remapped, plan))


def results(bare, remapped, plan):
    """[(held, what)]: what must be true of dm-remap, and that the faults were real."""
    out, left, status = remapped.work.outcome, remapped.comparison, remapped.status
    after = remapped.status_after
    return [
        (bare.work.outcome.eio_writes() > 0 and bare.work.outcome.eio_reads() > 0,
         "the faults were real: the bare disk failed reads and writes"),
        (bool(bare.read_only_since), "the bare disk's file system was remounted read-only"),
        (out.eio_writes() == 0, "no write, fsync or delete through dm-remap failed"),
        (set(out.read_errors) <= {plan.lost_file, plan.rewritten_file, plan.deleted_file},
         "only the files that lost a sector gave EIO, and only to reads"),
        (plan.lost_file in out.read_errors, "the lost sector gave EIO, not garbage"),
        (not out.other_errors, "no other error was seen"),
        (not remapped.read_only_since, "the file system stayed writable"),
        (remapped.fsck_clean, "e2fsck -f -n found nothing after a start from the devices alone"),
        (left.lost == [plan.lost_file] and not left.missing,
         "one file is lost, the one that must be, and it is named"),
        (not left.wrong, "no file holds wrong bytes"),
        (remapped.fio_damaged == 0, "every block that fio wrote reads back after the restart"),
        (status["remapped_sectors"] > 0 and status["lost_sectors"] > 0,
         "the set lists what it remapped and what is lost"),
        ((after["remapped_sectors"], after["lost_sectors"])
         == (status["remapped_sectors"], status["lost_sectors"]),
         "and lists the same after the restart"),
    ]


def main():
    arguments = parse_arguments()
    scale = disks.QUICK if arguments.quick else disks.FULL
    missing = what_is_missing(scale, arguments.dir)
    if missing is not None:
        print(f"demo: {missing}", file=sys.stderr)
        return 2
    tempfile.tempdir = arguments.dir
    interrupts.enable()
    t = support.Test("demo")
    exit_status = 1
    try:
        exit_status = 0 if run(t, scale, report.Console()) else 1
    except interrupts.Interrupted:
        print("\ndemo: interrupted; taking everything down", flush=True)
        exit_status = 130
    except support.CheckFailed as failure:
        if interrupts.follows():
            print("\ndemo: interrupted; taking everything down", flush=True)
            exit_status = 130
        else:
            print(f"demo: FAILED: {failure}", flush=True)
    finally:
        interrupts.ignore()
        if not t.cleanup.close():
            print("demo: FAILED: something could not be taken down", flush=True)
            exit_status = exit_status or 1
    return exit_status


if __name__ == "__main__":
    sys.exit(main())
