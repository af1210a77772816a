#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Twelve emergencies, played as a person would: look at what the set says, find the row of
docs/recovery.md that it leads to, type the commands that are named, and be out of trouble. Each message
must have its row, each row its section, and each command that is named must do what is promised.

    emergencies.py [NAME ...]    those alone
"""

import contextlib
import errno
import os
import re
import shutil
import sys

import product
import support
from support import MIB, SECTOR, check, equal, equal_bytes, pattern


def page(name):
    with open(os.path.join(support.ROOT, name), encoding="utf-8") as file:
        return file.read()


RECOVERY = page("docs/recovery.md")
README = page("README.md")


def anchor_of(title):
    return re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-")


def section(title):
    """The text below a heading of recovery.md, to the next one of its level or above."""
    found = re.search(rf"^(#+) {re.escape(title)}\n(.*?)(?=^##+ |\Z)", RECOVERY,
                      re.MULTILINE | re.DOTALL)
    check(found, f"recovery.md has a section {title!r}")
    return found.group(2)


def rows():
    """[(pattern, what its row says)] of the table of messages."""
    table = re.search(r"^## Which message.*?^## ", RECOVERY, re.MULTILINE | re.DOTALL).group(0)
    out = []
    for line in table.splitlines():
        if not line.startswith("| ") or line.startswith("| the message"):
            continue
        said, leads = line.strip("|").split("|", 1)
        for words in re.findall(r"`([^`]+)`", said):
            parts = [re.escape(part) for part in re.split(r"\.\.\.|\bN\b|\bM\b", words)]
            out.append((re.compile(".*".join(parts)), leads))
    return out


def leads_to(text, title):
    """Checks that a person who looks `text` up in recovery.md gets to the section of that title."""
    link = f"](#{anchor_of(title)})"
    hits = [leads for words, leads in rows() if words.search(text)]
    check(any(link in leads for leads in hits), f"{text!r} leads to {title!r}: {hits}")
    return section(title)


def promises(text, *words):
    for word in words:
        check(word in text, f"the page says {word!r}: {text}")


class Person:
    """A set over a lab's disk, and somebody who looks after it."""

    def __init__(self, t, size=32, spare=16, kind="fuse"):
        self.t = t
        number = len(t._labs) + 1
        self.disk = t.lab(size=f"{size}MiB", fill="disk")
        self.dm = product.Product(t, self.disk.path, t.path(f"spare{number}"))
        self.said = self.dm.create("--spare-size", f"{spare}MiB").out
        self.kind = kind
        self.dm.start(kind)

    def look(self, *conditions, exit=4):
        """What `status` says, which is what `list` says; the first line has every condition."""
        text = self.dm.run("status", self.dm.name, expect=exit)
        first = text.out.splitlines()[0]
        for condition in conditions:
            check(condition in first, f"{condition}: {first}")
        listed = self.dm.run("list", expect=(0, 4)).out
        check(self.dm.name in listed, f"list: {listed}")
        return first

    def wait(self, condition, there=True):
        support.wait_until(
            lambda: (condition in self.dm.status()["conditions"]) == there, condition)

    def lose(self, sector, count=8):
        self.disk.fault("read:ENODATA", f"{sector}+{count}")
        with support.expect_errno(errno.EIO):
            support.read_sectors(self.dm.device, sector, count)


# --- the twelve ------------------------------------------------------------------------------

def bad_sectors_while_writing(t):
    """Nobody need do anything, and the exit status says so."""
    one = Person(t)
    promises(one.said, f"/dev/dm-remap/{one.dm.name}", "fstab")
    one.disk.fault("write:ENODATA", "4096+8")
    data = pattern(4096, 8, "new")
    support.write_sectors(one.dm.device, 4096, data)
    equal_bytes(support.read_sectors(one.dm.device, 4096, 8), data, "what was written")
    check("healthy" in one.look(exit=0), "remapped sectors alone are healthy")
    check("remap" in one.dm.run("events", one.dm.name).out, "and are told of")


def sectors_lost(t):
    one = Person(t)
    one.lose(8192)
    text = leads_to(one.look("data-lost"), "Lost sectors")
    promises(text, "dmremap files", "dmremap backfill", "dmremap retry")
    image = t.image("rescue.img", 32 * MIB, "disk")
    one.dm.run("backfill", one.dm.name, image)
    equal_bytes(support.read_sectors(one.dm.device, 8192, 8), pattern(8192, 8, "disk"), "filled")
    one.look(exit=0)


def the_cable_was_changed(t):
    one = Person(t)
    one.lose(8192, 16)
    text = leads_to(one.look("data-lost"), "Lost sectors")
    promises(text, "dmremap retry NAME", "dmremap unremap NAME --all")
    one.disk.clear()
    done = one.dm.run("retry", one.dm.name).out
    check(f"dmremap unremap {one.dm.name} --all" in done, done)
    one.dm.run("unremap", one.dm.name, "--all")
    one.look(exit=0)
    equal(one.dm.status()["remapped_sectors"], 0, "all is back on main")


def the_spare_is_full(t):
    one = Person(t)
    room = one.dm.status()["spares"][0]["capacity_sectors"]
    for first in range(0, room, 2048):
        one.dm.run("remap", one.dm.name, f"{8192 + first}+{min(2048, room - first)}", expect=(0, 1))
    text = leads_to(one.look("spare-full"), "Room runs out")
    promises(text, "dmremap copy NAME TARGET", "dmremap spare grow NAME --size",
             "dmremap unremap NAME --all")
    shown = one.dm.run("status", one.dm.name, expect=4).out
    promises(" ".join(shown.split()), f"dmremap copy {one.dm.name} TARGET",
             f"dmremap spare grow {one.dm.name}", f"dmremap unremap {one.dm.name} --all")
    one.disk.fault("write:ENODATA", "64+8")
    with support.expect_errno(errno.EIO):
        support.write_sectors(one.dm.device, 64, pattern(64, 8, "no room"))
    leads_to(one.dm.run("spare", "grow", one.dm.name, expect=3).one_line_error(),
             "The spare has another size")
    one.dm.run("spare", "grow", one.dm.name, "--size", "24MiB")
    support.write_sectors(one.dm.device, 64, pattern(64, 8, "more room"))
    one.look(exit=0)
    one.disk.clear()
    one.dm.run("unremap", one.dm.name, "--all")
    support.write_sectors(one.dm.device, 64, pattern(64, 8, "room again"))
    one.look(exit=0)


def the_spare_is_unplugged(t):
    main = t.image("healthy.img", 32 * MIB, "disk")
    stick = t.lab(size="32MiB")
    dm = product.Product(t, main, stick.path)
    dm.create()
    dm.start("fuse")
    dm.run("remap", dm.name, "2048+8")
    stick.unplug()
    with contextlib.suppress(OSError):
        support.read_sectors(dm.device, 2048)
    support.wait_until(lambda: "spare-away" in dm.status()["conditions"], "spare-away")
    said = dm.run("status", dm.name, expect=4).out.splitlines()[0]
    promises(leads_to(said, "The spare is away or refuses"), "Plug it in")
    stick.replug()
    support.wait_until(lambda: "spare-away" not in dm.status()["conditions"], "it goes on")
    equal_bytes(support.read_sectors(dm.device, 2048, 8), pattern(2048, 8, "disk"), "what it has")


def main_is_unplugged(t):
    one = Person(t)
    one.dm.run("remap", one.dm.name, "2048+8")
    one.disk.unplug()
    with contextlib.suppress(OSError):
        support.read_sectors(one.dm.device, 64)
    one.wait("tripped")
    text = leads_to(one.look("tripped", "main-missing"), "Main is missing")
    promises(text, "Cable, power, port", "goes on by itself")
    one.disk.replug()
    one.wait("tripped", there=False)
    equal_bytes(support.read_sectors(one.dm.device, 64), pattern(64, 1, "disk"), "goes on")


def the_process_died_while_mounted(t):
    """The commands are typed as they stand in the message."""
    one = Person(t, kind="block")
    support.run("mkfs.ext4", "-q", one.dm.device)
    point = t.mount(one.dm.device, "my data")
    with open(os.path.join(point, "file"), "wb", buffering=0) as file:
        file.write(b"acknowledged")
        os.fsync(file.fileno())
    one.dm.kill()
    first = one.look("died", "still mounted on")
    promises(leads_to(first, "The process died"), "umount", "vgchange -an")
    commands = re.search(r": (umount .*), then (dmremap start [^)]*)\)", first)
    check(commands, first)
    for command in commands.groups():
        support.run("sh", "-c", command.replace("dmremap", support.DMREMAP, 1) + " --export block"
                    if command.startswith("dmremap") else command)
    point = t.mount(f"/dev/dm-remap/{one.dm.name}", "again")
    with open(os.path.join(point, "file"), "rb") as file:
        equal(file.read(), b"acknowledged", "the file")
    support.unmount(point)
    one.dm.stop()


def the_disk_is_mostly_dead(t):
    one = Person(t)
    one.disk.fault("read", "4096+57344")
    with contextlib.suppress(OSError):
        support.read_sectors(one.dm.device, 8192, 8)
    one.wait("tripped")
    target = t.path("copy.img")
    error = one.dm.run("copy", one.dm.name, target, expect=1).one_line_error()
    text = leads_to(error, "The disk is mostly dead")
    promises(text, "ddrescue --idirect", "dmremap backfill", "bad import", "--accept-main")
    rescue = re.search(r"`(ddrescue [^`]*)`", error).group(1)
    one.dm.run("stop", one.dm.name, expect=(0, 1))
    support.run("sh", "-c", f"cd {t.dir} && {rescue} --sector-size=4096 --quiet", expect=(0, 1))
    # Main is given up: the image takes its place, and what it lacks is lost and not zeros.
    image, mapfile = t.path("rescue.img"), t.path("rescue.map")
    one.dm.device = one.dm.run("start", one.dm.spare, image, "--accept-main", image,
                               "--export", "fuse").out.strip()
    one.dm.run("bad", "import", one.dm.name, mapfile)
    equal_bytes(support.read_sectors(one.dm.device, 64, 8), pattern(64, 8, "disk"), "rescued")
    with support.expect_errno(errno.EIO):
        support.read_sectors(one.dm.device, 16384, 8)
    one.dm.run("copy", one.dm.name, target, expect=(0, 1))
    with open(target, "rb") as file:
        equal_bytes(file.read(4096 * SECTOR), pattern(0, 4096, "disk"), "the copy")


def a_new_computer(t):
    one = Person(t)
    one.dm.run("remap", one.dm.name, "2048+8")
    one.dm.stop()
    shutil.rmtree(t.runtime_dir)
    promises(section("A new computer, or a new installation"), "dmremap discover", "dmremap start")
    moved = t.path("moved.spare")
    os.rename(one.dm.spare, moved)
    one.dm.spare = moved
    found = one.dm.run("discover", moved, one.disk.path).out
    check(one.dm.name in found, found)
    device = one.dm.start("fuse", "--accept-main", one.disk.path, by_devices=True)
    equal_bytes(support.read_sectors(device, 2048, 8), pattern(2048, 8, "disk"), "what it serves")


def after_a_reboot(t):
    """What the runtime directory had is gone; main was mounted without the set meanwhile."""
    os.environ["DMREMAP_STATE_DIR"] = t.path("state")
    one = Person(t)
    one.dm.run("remap", one.dm.name, "2048+8")
    one.dm.stop()
    shutil.rmtree(t.runtime_dir)
    promises(section("After a reboot"), "dmremap enable NAME", "/dev/dm-remap/NAME")
    one.dm.start("fuse")
    one.dm.stop()
    support.write_sectors(one.disk.path, 2, pattern(2, 1, "mounted from main alone"))
    error = one.dm.run("start", one.dm.name, "--export", "fuse", expect=3).one_line_error()
    hits = [leads for words, leads in rows() if words.search(error)]
    check(any("--accept-main-changed" in leads for leads in hits), f"{error}: {hits}")
    one.dm.start("fuse", "--read-only", "--accept-main-changed")


def getting_rid_of_it(t):
    """README's way out, typed off."""
    one = Person(t)
    one.dm.run("remap", one.dm.name, "2048+64")
    one.dm.stop()
    error = one.dm.run("release", one.dm.spare, expect=3).one_line_error()
    promises(leads_to(error, "Free the spare"), "unremap", "copy")
    one.dm.start("fuse")
    steps = re.search(r"## Getting rid of it.*?```sh\n(.*?)```", README, re.DOTALL).group(1)
    typed = [line.split("#")[0].split() for line in steps.splitlines()]
    for words in typed:
        if words[0] == "dmremap":
            words = [one.dm.name if word == "backup" else one.dm.spare if word.startswith("/dev/")
                     else word for word in words[1:]]
            one.dm.run(*words)
    with open(one.dm.spare, "rb") as file:
        equal(file.read(MIB), bytes(MIB), "the spare is free")


def another_users_sets(t):
    hidden = t.path("of-root")
    os.mkdir(hidden, 0o700)
    program = t.path("dmremap")
    shutil.copy(support.DMREMAP, program)
    os.chmod(program, 0o755)
    os.chmod(t.dir, 0o755)
    done = support.run("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env",
                       f"DMREMAP_RUNTIME_DIR={hidden}", program, "list", expect=1)
    error = done.one_line_error()
    promises(leads_to(error, "Sets of another user"), "sudo")


EMERGENCIES = [bad_sectors_while_writing, sectors_lost, the_cable_was_changed, the_spare_is_full,
               the_spare_is_unplugged, main_is_unplugged, the_process_died_while_mounted,
               the_disk_is_mostly_dead, a_new_computer, after_a_reboot, getting_rid_of_it,
               another_users_sets]


def emergencies(t):
    equal(len(EMERGENCIES), 12, "emergencies")
    for play in EMERGENCIES:
        if len(sys.argv) > 1 and play.__name__ not in sys.argv[1:]:
            continue
        print(play.__name__, flush=True)
        play(t)
        # The next one may wipe the runtime directory, as a boot does.
        for listed in support.dmremap("list", "--json", expect=(0, 4)).json()["sets"]:
            support.dmremap("stop", listed["name"], expect=(0, 1))


support.run_test(emergencies, root=True, fuse=True, loop=True,
                 programs=["mkfs.ext4", "ddrescue", "setpriv"])
