#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""files names exactly the file whose sectors went bad: ext4, xfs and btrfs on the set's device, ext4
on a partition of it. Where the file lies is asked of tools of the file systems."""

import errno
import os
import re

import file_systems
import partitions
import product
import support
from support import check, equal

MKFS = {"ext4": ["mkfs.ext4", "-q", "-F", "-b", "4096"], "xfs": ["mkfs.xfs", "-q", "-f"],
        "btrfs": ["mkfs.btrfs", "-q", "-f"]}
PIECE = 64 * support.KIB
VICTIM = "the \udcff one\n"  # bytes that are no UTF-8, and a line end


def _fill(mount):
    os.makedirs(os.path.join(mount, "deep/er"))
    for number in range(40):
        where = "deep/er" if number % 2 else ""
        with open(os.path.join(mount, where, f"file{number}"), "wb") as file:
            file.write(support.pattern(number * 1000, 2 * PIECE // 512, "files"))
            os.fsync(file.fileno())
    victim = os.path.join(mount, "deep", VICTIM)
    with open(victim, "wb") as file:
        file.write(support.pattern(9, PIECE // 512, "files"))
        os.fsync(file.fileno())
    with open(os.path.join(mount, "small"), "wb") as file:
        file.write(b"fits into metadata")
    with open(os.path.join(mount, "preallocated"), "wb") as file:
        os.posix_fallocate(file.fileno(), 0, PIECE)
    os.mkfifo(os.path.join(mount, "pipe"))
    os.sync()
    return victim


def _first_extent(kind, path, device):
    """Sector of the file's first byte on the device of its file system."""
    if kind == "btrfs":
        logical, physical = _btrfs_sector(path, device)
        check(logical != physical, "the chunk map makes a difference")
        return physical
    said = support.run("xfs_io", "-r", "-c", "fiemap", path).out
    return int(re.search(r"0: \[0\.\.\d+\]: (\d+)\.\.", said).group(1))


def _btrfs_sector(path, device):
    """By what the tools print of the trees of the unmounted device."""
    inode = os.stat(path).st_ino
    tree = support.run("btrfs", "inspect-internal", "dump-tree", "-t", "fs", device).out
    item = tree.partition(f"key ({inode} EXTENT_DATA 0)")[2]
    logical = int(re.search(r"disk byte (\d+)", item).group(1))
    mapped = support.run("btrfs-map-logical", "-l", logical, device, expect=(0, 1)).out
    physical = int(re.search(r"physical (\d+)", mapped).group(1))
    return logical // 512, physical // 512


def _make_lost(dm, disk, first, count):
    disk.fault("read", f"{first}+{count}")
    for sector in range(first, first + count):
        with support.expect_errno(errno.EIO):
            support.read_sectors(dm.device, sector)


def _files(dm, mount):
    return dm.run("files", dm.name, mount, "--json").json()


def _check(dm, mount, victim, sector, fs_sector):
    found = _files(dm, mount)
    equal([entry["path"] for entry in found["files"]],
          [victim.encode(errors="surrogateescape").decode(errors="replace")], "exactly that file")
    ranges = found["files"][0]["ranges"]
    equal([(r["offset"], r["length"], r["state"], r["sector"], r["sectors"], r["unwritten"])
           for r in ranges], [(8192, 1024, "lost", sector, 2, False)], "which bytes")
    equal(found["first_sector"], sector - 16 - fs_sector, "where the file system begins")
    equal((found["in_no_file"]["sectors"], found["unreadable"]), (0, []), "nothing else is bad")
    text = support.run(support.DMREMAP, "files", dm.name, mount).out
    check("\\x0a" in text and "bytes 8192 to 9215: lost" in text, text)
    return found


def _served(t, kind, partition=False, options=()):
    """A set with a file system on it, mounted."""
    disk = t.lab(size="512MiB")
    dm = product.Product(t, disk.path, t.path(f"spare-{kind}-{partition}-{len(options)}"))
    dm.create("--spare-size", "32MiB")
    device, offset = dm.start("block"), 0
    if partition:
        offset = 4096
        partitions.partition(t, device, 1, 2048, 1000)
        node = partitions.partition(t, device, 2, offset, 900000)
    else:
        node = device
    file_systems.run_past_dead_mounts(*MKFS[kind], node)
    mount = t.mount(node, f"mnt-{kind}-{partition}-{len(options)}", *options)
    return dm, disk, mount, node, offset


def _one(t, kind, partition=False):
    dm, disk, mount, node, offset = _served(t, kind, partition)
    if kind == "btrfs":
        # The first data chunk lies where its logical addresses are: fill it.
        with open(os.path.join(mount, "filler"), "wb") as file:
            for _ in range(128):
                file.write(bytes(2 * PIECE))
                file.flush()
                os.fsync(file.fileno())
    victim = _fill(mount)
    equal(_files(dm, mount)["files"], [], "all is well")
    fs_sector = _first_extent(kind, victim, node)
    first = offset + fs_sector + 16
    _make_lost(dm, disk, first, 2)
    _check(dm, mount, victim, first, fs_sector)
    return dm, mount


def _no_file(dm, mount):
    """Bad sectors in free space and in preallocated ones; suspect ones."""
    last = int(dm.status()["size_sectors"]) - 9
    dm.run("bad", "import", dm.name, _list(dm, f"{last}\n"), "--block-size", "512")
    found = _files(dm, mount)
    equal(found["in_no_file"], {"sectors": 1, "ranges": [
        {"sector": last, "count": 1, "state": "lost"}]}, "in no file")
    check("metadata or free space" in dm.run("files", dm.name, mount).out, "says so")
    said = support.run("xfs_io", "-r", "-c", "fiemap", os.path.join(mount, "preallocated")).out
    at = int(re.search(r"0: \[0\.\.\d+\]: (\d+)\.\.", said).group(1))
    with open(dm.t.path("suspect.map"), "w", encoding="ascii") as file:
        file.write(f"# Mapfile\n0 ? 1\n0 {at * 512} ?\n{at * 512} 512 /\n")
    dm.run("bad", "import", dm.name, dm.t.path("suspect.map"))
    found = _files(dm, mount)
    empty = next(f for f in found["files"] if f["path"].endswith("preallocated"))
    equal([(r["state"], r["unwritten"], r["offset"]) for r in empty["ranges"]],
          [("suspect", True, 0)], "preallocated")
    equal(len(found["files"]), 2, "two files")


def _list(dm, text):
    path = dm.t.path("list")
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def _names(dm, mount, victim):
    """A file with two names is one."""
    before = _files(dm, mount)
    os.link(victim, os.path.join(mount, "second name"))
    after = _files(dm, mount)
    equal((after["looked_at"], len(after["files"])), (before["looked_at"], len(before["files"])),
          "one file")
    os.unlink(os.path.join(mount, "second name"))


def _refused(t, dm, mount):
    other = t.image("other.img", "64MiB")
    support.run("mkfs.ext4", "-q", "-F", other)
    elsewhere = t.mount(t.loop(other), "elsewhere")
    for where, code in ((elsewhere, "usage"), (os.path.join(mount, "deep"), "usage"),
                        ("/proc", "usage"), (t.path("none"), "no-such-device")):
        done = dm.run("files", dm.name, where, "--json", expect=(1, 2))
        equal(done.error_json()["code"], code, f"{where}")
    # A set in a file on the set: its files have no address on the set that could be told.
    inner = os.path.join(mount, "inner.img")
    with open(inner, "wb") as file:
        file.truncate(32 * support.MIB)
    support.run("mkfs.ext4", "-q", "-F", inner)
    loop = t.loop(inner, direct_io=False)
    through = t.mount(loop, "through")
    error = dm.run("files", dm.name, through, "--json", expect=1).error_json()
    equal(error["code"], "not-supported", "through another device")
    support.unmount(through)
    support.detach_loop(loop)
    # What is mounted below is not looked into.
    below = os.path.join(mount, "deep/er")
    support.run("mount", "-t", "tmpfs", "tmpfs", below)
    t.cleanup.push(support.unmount, below, missing_ok=True)
    with open(os.path.join(below, "x"), "wb") as file:
        file.write(b"x")
    before = _files(dm, mount)["looked_at"]
    support.unmount(below)
    equal(_files(dm, mount)["looked_at"] - before, 20 + 1, "files under the other mount")


def _compressed(t):
    """btrfs: a compressed extent is as long on the disk as it is packed, and fails as a whole."""
    dm, disk, mount, node, _ = _served(t, "btrfs", options=("-o", "compress-force=zlib"))
    packed = os.path.join(mount, "packed")
    with open(packed, "wb") as file:
        file.write(b"dm-remap " * (128 * support.KIB // 9))
        os.fsync(file.fileno())
    os.sync()
    neighbour = os.path.join(mount, "neighbour")
    with open(neighbour, "wb") as file:
        file.write(support.pattern(77, 16, "n"))
        os.fsync(file.fileno())
    os.sync()
    _, first = _btrfs_sector(packed, node)
    # Behind its end on the disk, though not behind the length it has unpacked.
    _, behind = _btrfs_sector(neighbour, node)
    check(first < behind < first + 128, f"side by side: {first} and {behind}")
    _make_lost(dm, disk, behind, 1)
    equal([f["path"] for f in _files(dm, mount)["files"]], [neighbour], "only what lies there")
    support.write_sectors(dm.device, behind, bytes(512))
    _make_lost(dm, disk, first + 1, 1)
    found = {f["path"]: f for f in _files(dm, mount)["files"]}
    check(packed in found and neighbour not in found, f"exactly that: {list(found)}")
    equal([(r["offset"], r["sector"]) for r in found[packed]["ranges"]], [(0, first + 1)], "range")
    check(found[packed]["ranges"][0]["length"] > 64 * support.KIB, found[packed])
    support.run("btrfs", "subvolume", "snapshot", mount, os.path.join(mount, "snap"))
    names = [f["path"] for f in _files(dm, mount)["files"]]
    check(os.path.join(mount, "snap/packed") in names, f"in a snapshot too: {names}")
    return dm, mount


def _end(dm, mount):
    support.unmount(mount)
    dm.stop()


def files(t):
    dm, mount = _one(t, "ext4")
    _names(dm, mount, os.path.join(mount, "deep", VICTIM))
    _no_file(dm, mount)
    _refused(t, dm, mount)
    _end(dm, mount)
    for kind, partition in (("xfs", False), ("btrfs", False), ("ext4", True)):
        _end(*_one(t, kind, partition))
    _end(*_compressed(t))


support.run_test(files, root=True, fuse=True, loop=True,
                 programs=["mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "xfs_io", "btrfs",
                           "btrfs-map-logical", "addpart"])
