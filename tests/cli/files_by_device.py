#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""files names exactly the file whose sectors went bad on NTFS, exFAT and FAT: mounted by ntfs-3g and
exfat-fuse, or not mounted at all, on the set's device and on a partition of it. Where a file lies is
found by looking for its contents on the device."""

import errno
import os

import partitions
import product
import support
from support import check, equal

SIZE = "64MiB"
VICTIM = "deep/er/the victim ä & b"
MKFS = {"ntfs": ["mkfs.ntfs", "-q", "-F", "-f"], "exfat": ["mkfs.exfat"],
        "fat": ["mkfs.vfat", "-F", "32"]}
MOUNT = {"ntfs": ["ntfs-3g", "-o", "compression"], "exfat": ["mount.exfat-fuse"]}


def _contents(seed, sectors=128):
    return support.pattern(seed, sectors, "files")


def _sector_of(device, contents):
    """Where the first sector of a file lies on the device of its file system."""
    with open(device, "rb") as file:
        whole = file.read()
    at = whole.find(contents[:support.SECTOR])
    check(at >= 0 and at % support.SECTOR == 0, f"found on {device}: {at}")
    equal(whole.find(contents[:support.SECTOR], at + 1), -1, "only once")
    return at // support.SECTOR


def _fill(mount):
    os.makedirs(os.path.join(mount, "deep/er"))
    for number in range(10):
        with open(os.path.join(mount, "deep", f"file{number}"), "wb") as file:
            file.write(_contents(1000 * number))
    with open(os.path.join(mount, VICTIM), "wb") as file:
        file.write(_contents(77777))
    with open(os.path.join(mount, "tiny"), "wb") as file:
        file.write(b"fits into metadata")
    os.sync()


def _copy_fat(t, device):
    """Without a driver for FAT in the kernel, by mtools."""
    source = t.path("source")
    if not os.path.exists(source):
        _fill(source)
    support.run("mcopy", "-s", "-i", device, *(os.path.join(source, n) for n in os.listdir(source)),
                "::", env={**os.environ, "MTOOLS_SKIP_CHECK": "1", "LC_ALL": "C.UTF-8"})


def _mount(t, kind, device):
    point = t.path(f"mnt-{kind}")
    os.makedirs(point, exist_ok=True)
    support.run(*MOUNT[kind], device, point)
    t.cleanup.push(support.unmount, point, missing_ok=True)
    support.wait_until(lambda: support.is_mounted(point), "the mount")
    return point


def _make_lost(dm, disk, first, count):
    disk.fault("read", f"{first}+{count}")
    for sector in range(first, first + count):
        with support.expect_errno(errno.EIO):
            support.read_sectors(dm.device, sector)


def _files(dm, where, expect=0):
    return dm.run("files", dm.name, where, "--json", expect=expect)


def _expect_victim(found, root, offset, first, fs_type):
    equal([entry["path"] for entry in found["files"]], [os.path.join(root, VICTIM)],
          "exactly that file")
    equal([(r["offset"], r["length"], r["state"], r["sector"], r["sectors"])
           for r in found["files"][0]["ranges"]], [(8192, 1024, "lost", first + 16, 2)], "bytes")
    equal((found["first_sector"], found["fs_type"], found["in_no_file"]["sectors"]),
          (offset, fs_type, 0), "the rest")
    check(found["looked_at"] >= 14, found)


def _one(t, kind, fs_type, partition):
    disk = t.lab(size=SIZE)
    dm = product.Product(t, disk.path, t.path(f"spare-{kind}"))
    dm.create("--spare-size", "32MiB")
    device, offset = dm.start("block"), 0
    node = device
    if partition:
        offset = 2048
        node = partitions.partition(t, device, 1, offset, 120000)
    support.run(*MKFS[kind], node)
    mount = None
    if kind == "fat":
        _copy_fat(t, node)
    else:
        mount = _mount(t, kind, node)
        _fill(mount)
    equal(_files(dm, mount or node).json()["files"], [], "all is well")
    first = offset + _sector_of(node, _contents(77777))
    _make_lost(dm, disk, first + 16, 2)
    if mount:
        _expect_victim(_files(dm, mount).json(), mount, offset, first, fs_type)
    _expect_victim(_files(dm, node).json(), "", offset, first, fs_type)
    text = dm.run("files", dm.name, mount or node).out
    check("bytes 8192 to 9215: lost" in text, text)
    return dm, disk, mount, node, offset


def _ntfs(t):
    """Metadata, compressed files, files with two names."""
    dm, disk, mount, node, _ = _one(t, "ntfs", "ntfs", False)
    os.link(os.path.join(mount, VICTIM), os.path.join(mount, "second name"))
    packed = os.path.join(mount, "packed")
    os.mkdir(packed)
    os.setxattr(packed, "system.ntfs_attrib_be", (0x800).to_bytes(4, "big"))
    with open(os.path.join(packed, "file"), "wb") as file:
        for number in range(64):
            file.write(_contents(5000 + number, 1) + bytes(7 * 512))
    os.sync()
    equal(len(_files(dm, mount).json()["files"]), 1, "a file with two names is one")
    _compressed(dm, disk, packed, node, mount)
    at = _sector_of(node, _unique_marker(node))
    _make_lost(dm, disk, at, 1)
    names = [os.path.relpath(f["path"], mount) for f in _files(dm, mount).json()["files"]]
    check("$MFT" in names, f"small files lie in $MFT: {names}")
    _end(dm, mount)


def _compressed(dm, disk, packed, node, mount):
    """A cluster of a compressed file: all that is packed with it, found by what istat prints."""
    inode = os.stat(os.path.join(packed, "file")).st_ino
    said = support.run("istat", node, inode).out
    clusters = [int(word) for word in said.partition("Non-Resident, Compressed")[2].split("\n", 1)[1].split()]
    second = [cluster for cluster in clusters[16:32] if cluster][0]
    _make_lost(dm, disk, second * 8, 1)
    found = {f["path"]: f["ranges"] for f in _files(dm, mount).json()["files"]}
    equal([(r["offset"], r["length"], r["sector"]) for r in found[os.path.join(packed, "file")]],
          [(65536, 65536, second * 8)], "the second unit")


def _unique_marker(node):
    """The sector of $MFT that holds the contents of `tiny`."""
    os.sync()
    with open(node, "rb") as file:
        whole = file.read()
    at = whole.find(b"fits into metadata")
    check(at > 0, "resident")
    return whole[at - at % 512:at - at % 512 + 512]


def _end(dm, mount=None):
    """The program that serves a file system by FUSE lets go of the device a moment after umount."""
    if mount:
        support.unmount(mount)
    support.wait_until(lambda: dm.run("stop", dm.name, expect=None).exit == 0, "nobody uses it")


def _on_an_image(t):
    """A set that is served as a file: NTFS mounted from there, FAT in it."""
    dm = product.Product(t, t.image("main.img", SIZE), t.path("spare-image"))
    dm.create("--spare-size", "32MiB")
    image = dm.start("fuse")
    for kind, fs_type in (("ntfs", "ntfs"), ("fat", "fat32")):
        with open(image, "r+b") as file:
            file.write(bytes(64 * support.MIB))
        support.run(*MKFS[kind], image)
        mount = _mount(t, kind, image) if kind == "ntfs" else None
        if mount:
            _fill(mount)
        else:
            _copy_fat(t, image)
        first = _sector_of(image, _contents(77777))
        bad = t.path("bad")
        with open(bad, "w", encoding="ascii") as file:
            file.write(f"{first + 16} 2\n")
        dm.run("bad", "import", dm.name, bad)
        if mount:
            _expect_victim(_files(dm, mount).json(), mount, 0, first, fs_type)
            support.unmount(mount)
        _expect_victim(_files(dm, image).json(), "", 0, first, fs_type)
    _end(dm)


def _refused(t):
    dm, disk, _, node, offset = _one(t, "fat", "fat32", True)
    missing = dm.run("files", dm.name, node, "--json", expect=1,
                     env={**os.environ, "PATH": t.path("empty")}).error_json()
    check("sleuthkit" in missing["hint"] and missing["code"] == "not-supported", missing)
    # The tables of FAT are no file, and have a name.
    _make_lost(dm, disk, offset + 33, 1)
    names = [f["path"] for f in _files(dm, node).json()["files"]]
    check("$FAT1" in names, names)
    # The device as a whole holds no file system that could be told.
    equal(_files(dm, dm.device, expect=1).error_json()["code"], "not-supported", "no file system")
    equal(_files(dm, t.image("x.img", "1MiB"), expect=2).error_json()["code"], "usage", "elsewhere")
    # Another test may be looking at it, as at every device there is.
    support.wait_until(lambda: support.run("delpart", dm.device, 1, expect=None).exit == 0,
                       "the partition is taken away")
    _end(dm)


def files_by_device(t):
    dm, _, mount, _, _ = _one(t, "exfat", "exfat", False)
    _end(dm, mount)
    _ntfs(t)
    _on_an_image(t)
    _refused(t)


support.run_test(files_by_device, root=True, fuse=True, loop=True,
                 programs=["fiwalk", "istat", "ntfs-3g", "mount.exfat-fuse", "mkfs.ntfs", "mkfs.exfat",
                           "mkfs.vfat", "mcopy", "addpart", "delpart"])
