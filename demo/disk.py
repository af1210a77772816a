# SPDX-License-Identifier: GPL-2.0-or-later
"""The disk that the demo lets fail: an ext4 image full of real files, and what lies where on it."""

import hashlib
import os
import re
import shutil
import tarfile
from dataclasses import dataclass, field

import support
from interrupts import deferred
from support import KIB, MIB

SECTORS_PER_BLOCK = 8  # ext4 blocks are made 4 KiB
SOURCES = ("/usr/share", "/usr/lib", "/usr/bin")
FILE_BYTES_MAX = 8 * MIB


@dataclass
class Scale:
    """How much of everything."""
    image: int
    files: int       # bytes of real files on the disk before anything goes wrong
    copies: int      # bytes copied while it does
    tar: int         # bytes of the tar that is unpacked
    fio: int         # bytes of the file that fio writes and verifies
    fio_iops: int    # keeps fio running while sectors go bad under it

FULL = Scale(image=768 * MIB, files=300 * MIB, copies=120 * MIB, tar=50 * MIB, fio=48 * MIB,
             fio_iops=2500)
QUICK = Scale(image=256 * MIB, files=60 * MIB, copies=40 * MIB, tar=16 * MIB, fio=16 * MIB,
              fio_iops=2500)


@dataclass
class Disk:
    """The image before the first fault. Paths in `manifest` are relative to its root."""
    image: str
    scale: Scale
    manifest: dict = field(default_factory=dict)  # path -> SHA-256
    sizes: dict = field(default_factory=dict)     # path -> bytes
    tar: str = ""
    tar_manifest: dict = field(default_factory=dict)

    def blocks(self, what):
        """The blocks of a file (its path) or of an inode ("<8>" is the journal), in order."""
        name = what if what.startswith("<") else f'"/{what}"'
        listed = support.run("debugfs", "-R", f"blocks {name}", self.image).out
        return [int(number) for number in listed.split()]

    def free_runs(self):
        """[(first block, count)] that no file uses."""
        listed = support.run("dumpe2fs", self.image).out
        runs = []
        for line in re.findall(r"^  Free blocks: (.*)$", listed, re.MULTILINE):
            for first, last in re.findall(r"(\d+)(?:-(\d+))?", line):
                runs.append((int(first), int(last or first) - int(first) + 1))
        return runs


def real_files(limit):
    """Paths of the machine's own files, `limit` bytes of them, the sources taken in turn."""
    walks = [_walk(source) for source in SOURCES]
    total = 0
    while walks:
        for walk in list(walks):
            found = next(walk, None)
            if found is None:
                walks.remove(walk)
                continue
            path, size = found
            total += size
            if total > limit:
                return
            yield path


def _walk(top):
    for directory, names, files in os.walk(top):
        names.sort()
        for name in sorted(files):
            path = os.path.join(directory, name)
            if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
                continue
            # debugfs takes the name in quotes; odd ones are not worth the trouble.
            size = os.path.getsize(path)
            if 8 * KIB <= size <= FILE_BYTES_MAX and re.fullmatch(r"[\w./+@,-]+", path, re.ASCII):
                yield path, size


def build(t, scale):
    """Makes the image, fills it and records what is on it."""
    image = t.image("disk.img", scale.image)
    support.run("mkfs.ext4", "-q", "-F", "-b", "4096", "-L", "demo", "-m", "1",
                "-E", "lazy_itable_init=0,lazy_journal_init=0", image)
    disk = Disk(image, scale)
    with deferred():
        device = t.loop(image, direct_io=False)
        mount = t.mount(device, "fill")
    to_tar = []
    taken = 0
    for source in real_files(scale.files + scale.tar):
        size = os.path.getsize(source)
        if taken < scale.files:
            _store(disk, source, mount, "files" + source)
        else:
            to_tar.append(source)
        taken += size
    support.check(len(disk.manifest) > 50, f"found too few real files under {', '.join(SOURCES)}")
    with open(os.path.join(mount, "fio.dat"), "wb") as file:
        for _ in range(scale.fio // MIB):
            file.write(bytes(MIB))
    support.unmount(mount)
    support.detach_loop(device)
    disk.tar = _make_tar(t, disk, to_tar)
    return disk


def _store(disk, source, mount, path):
    target = os.path.join(mount, path)
    os.makedirs(os.path.dirname(target), exist_ok=True)
    shutil.copyfile(source, target)
    disk.manifest[path] = sha256(target)
    disk.sizes[path] = os.path.getsize(target)


def _make_tar(t, disk, sources):
    path = t.path("more.tar")
    with tarfile.open(path, "w") as tar:
        for source in sources:
            name = "unpacked" + source
            tar.add(source, arcname=name, recursive=False)
            disk.tar_manifest[name] = sha256(source)
    return path


def sha256(path):
    digest = hashlib.sha256()
    with open(path, "rb", buffering=0) as file:
        while chunk := file.read(MIB):
            digest.update(chunk)
    return digest.hexdigest()
