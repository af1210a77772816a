#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 8 on real devices: rows of the matrix of identity, set up with images, loop devices and
partitions, and asked of the code that gathers facts. Images lie on a tmpfs, so that nothing but
themselves names them on any machine; a boot is played by giving the kernel's boot id another value in
a mount namespace. The rows with disks that have names are guest payload identity_scsi."""

import os
import shutil
import subprocess

import partitions
import support
from support import equal

PROBE = os.path.join(os.path.dirname(os.environ["DMREMAP"]), "identity_probe")
MIB = 1 << 20
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Bench:
    """A place for images, and the probe. A row leaves its loop devices to the test's end."""

    def __init__(self, t, number):
        self.t = t
        self.dir = os.path.join(t.path("images"), str(number))
        os.makedirs(self.dir)
        self.record_file = self.path("record")

    def path(self, name):
        return os.path.join(self.dir, name)

    def image(self, name="main.img", mib=16, file_system=True):
        path = self.path(name)
        with open(path, "wb") as file:
            file.truncate(mib * MIB)
        if file_system:
            support.run("mkfs.ext4", "-q", "-F", path)
        return path

    def copy(self, source, name):
        shutil.copy(source, self.path(name))
        return self.path(name)

    def loop(self, path, *options):
        device = support.run("losetup", "--find", "--show", *options, path).out.strip()
        self.t.cleanup.push(support.detach_loop, device, missing_ok=True)
        return device

    def parts(self, device):
        """Two partitions of 4 MiB each, at sectors 2048 and 12288."""
        return (partitions.partition(self.t, device, 1, 2048, 8192),
                partitions.partition(self.t, device, 2, 12288, 8192))

    def record(self, device):
        support.run(PROBE, "record", self.record_file, device)

    def accept(self, device):
        support.run(PROBE, "accept", self.record_file, device)

    def ask(self, *devices, boot=None):
        """What is taken of these devices, or the code of the refusal."""
        command = [PROBE, "ask", self.record_file, *devices]
        if boot is not None:
            file = self.path("boot_id")
            with open(file, "w", encoding="ascii") as out:
                out.write(boot + "\n")
            command = ["unshare", "--mount", "sh", "-c",
                       'mount --bind "$0" "$1" && shift && exec "$@"', file, BOOT_ID, *command]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        support.check(done.returncode in (0, 1), f"{command}: {done.stdout}{done.stderr}")
        what, result = done.stdout.splitlines()[0].split(" ", 1)
        if what == "refused" and result == "main-unproven":
            support.check("--accept-main" in done.stdout, f"the consent is named: {done.stdout}")
        return result


OTHER_BOOT = "11111111-2222-4333-8444-555555555555"

# --- images ---


def image_as_it_was(b):
    main = b.image()
    b.record(main)
    return b.ask(main), main


def image_renamed(b):
    main = b.image()
    b.record(main)
    os.rename(main, b.path("moved.img"))
    return b.ask(b.path("moved.img")), b.path("moved.img")


def image_by_another_link(b):
    main = b.image()
    b.record(main)
    os.link(main, b.path("link.img"))
    return b.ask(b.path("link.img")), b.path("link.img")


def image_replaced_by_a_copy(b):
    main = b.image()
    b.record(main)
    os.rename(b.copy(main, "copy.img"), main)
    return b.ask(main), "main-unproven"


def image_and_its_copy(b):
    main = b.image()
    b.record(main)
    return b.ask(b.copy(main, "copy.img"), main), main


def image_restored_under_its_inode(b):
    """The file is the same one, its contents are those of an older copy with another file system."""
    main = b.image()
    b.record(main)
    other = b.image("other.img")
    with open(other, "rb") as source, open(main, "r+b") as target:
        shutil.copyfileobj(source, target)
    return b.ask(main), "main-changed"


def image_after_a_boot(b):
    main = b.image()
    b.record(main)
    return b.ask(main, boot=OTHER_BOOT), "main-unproven"


def image_after_a_boot_and_a_word(b):
    main = b.image()
    b.record(main)
    b.accept(main)
    return b.ask(main, boot=OTHER_BOOT), main


def copy_after_a_boot_elsewhere(b):
    main = b.image()
    b.record(main)
    b.accept(main)
    return b.ask(b.copy(main, "copy.img"), boot=OTHER_BOOT), "main-unproven"


def image_grown(b):
    main = b.image()
    b.record(main)
    os.truncate(main, 20 * MIB)
    return b.ask(main), "main-resized"


def image_cut(b):
    main = b.image()
    b.record(main)
    os.truncate(main, 12 * MIB)
    return b.ask(main), "main-resized"


def growth_accepted_once(b):
    main = b.image()
    b.record(main)
    os.truncate(main, 20 * MIB)
    b.accept(main)
    return b.ask(main), main


def image_away(b):
    main = b.image()
    b.record(main)
    os.unlink(main)
    return b.ask(main), "missing-device"


# --- loop devices ---


def loop_as_it_was(b):
    device = b.loop(b.image())
    b.record(device)
    return b.ask(device), device


def loop_over_a_renamed_image(b):
    main = b.image()
    device = b.loop(main)
    b.record(device)
    os.rename(main, b.path("moved.img"))
    return b.ask(device), device


def loop_for_the_image(b):
    main = b.image()
    b.record(main)
    device = b.loop(main)
    return b.ask(main, device), device


def loop_attached_again(b):
    main = b.image()
    first = b.loop(main)
    b.record(first)
    support.detach_loop(first)
    b.loop(b.image("other.img"))
    again = b.loop(main)
    return b.ask(first, again), again


def loop_over_a_copy(b):
    main = b.image()
    device = b.loop(main)
    b.record(device)
    support.detach_loop(device)
    return b.ask(b.loop(b.copy(main, "rescue.img"))), "main-unproven"


def rescue_image_beside_main(b):
    main = b.image()
    device = b.loop(main)
    b.record(device)
    rescue = b.loop(b.copy(main, "rescue.img"))
    return b.ask(rescue, device), device


def loop_with_larger_blocks(b):
    main = b.image()
    first = b.loop(main)
    b.record(first)
    support.detach_loop(first)
    return b.ask(b.loop(main, "--sector-size", "4096")), "block-size"


def loop_at_an_offset(b):
    main = b.image()
    b.record(b.loop(main))
    other = b.loop(main, "--offset", str(MIB))
    return b.ask(other), "main-unproven"


# --- partitions ---


def partition_as_it_was(b):
    first, _ = b.parts(b.loop(b.image(file_system=False)))
    support.run("mkfs.ext4", "-q", "-F", first)
    b.record(first)
    return b.ask(first), first


def other_partition(b):
    first, second = b.parts(b.loop(b.image(file_system=False)))
    b.record(first)
    return b.ask(second), "wrong-main"


def both_partitions(b):
    first, second = b.parts(b.loop(b.image(file_system=False)))
    b.record(second)
    return b.ask(first, second), second


def disk_for_its_partition(b):
    device = b.loop(b.image(file_system=False))
    first, _ = b.parts(device)
    b.record(first)
    return b.ask(device), "wrong-main"


def partition_for_its_disk(b):
    device = b.loop(b.image(file_system=False))
    b.record(device)
    first, _ = b.parts(device)
    return b.ask(first), "wrong-main"


def partition_of_a_copied_disk(b):
    image = b.image(file_system=False)
    first, _ = b.parts(b.loop(image))
    support.run("mkfs.ext4", "-q", "-F", first)
    b.record(first)
    copied, _ = b.parts(b.loop(b.copy(image, "copy.img")))
    return b.ask(copied), "main-unproven"


def view_of_a_partition_by_offset(b):
    image = b.image(file_system=False)
    first, _ = b.parts(b.loop(image))
    support.run("mkfs.ext4", "-q", "-F", first)
    b.record(first)
    view = b.loop(image, "--offset", str(2048 * 512), "--sizelimit", str(8192 * 512))
    return b.ask(view), view


ROWS = [value for name, value in sorted(globals().items())
        if callable(value) and getattr(value, "__code__", None)
        and value.__code__.co_varnames[:1] == ("b",)]


def test(t):
    os.makedirs(t.path("images"))
    t.mount("tmpfs", "images", "-t", "tmpfs", "-o", "size=512m")
    failures = []
    for number, row in enumerate(ROWS):
        seen, expected = row(Bench(t, number))
        if seen != expected:
            failures.append(f"{row.__name__}: {seen}, expected {expected}")
    support.check(len(ROWS) >= 20, f"{len(ROWS)} rows")
    equal(failures, [], "rows that are decided otherwise")
    print(f"{len(ROWS)} rows on real devices are decided as the matrix says")


if __name__ == "__main__":
    support.run_test(test, root=True, loop=True, programs=("mkfs.ext4", "unshare", "addpart"))
