# SPDX-License-Identifier: GPL-2.0-or-later
"""The initial RAM disk of a guest, which is all of its system: busybox, kernel modules, programs of
the host with the libraries that they load, and our init.

The kernel unpacks a cpio archive of kind `newc` (Documentation/driver-api/early-userspace/buffer-
format.rst), which is written here, as it needs neither root nor a tree on disk."""

import contextlib
import glob
import lzma
import os
import re
import shutil
import stat
import subprocess
import tempfile

import kernels
import places

BUSYBOX = "/bin/busybox"
# What is always there: the disks that tests are made of, and the file systems that lie on them.
MODULES = ["virtio_pci", "virtio_blk", "virtio_console", "loop", "fuse", "dm_mod", "dm_flakey",
           "dm_delay", "brd", "null_blk", "nbd", "ublk_drv", "scsi_debug", "sd_mod", "ext4", "xfs",
           "btrfs", "crc32c_generic", "crc32c_intel"]
# 6.1 has none of these, and what is built in is no module; it is for a payload to find that out.
MAY_BE_MISSING = {"ublk_drv", "crc32c_generic", "crc32c_intel"}
# Payloads run in dash: busybox's shell takes its own applets whatever PATH says, and these of its
# namesakes know less.
PROGRAMS = ["dash", "dd", "dmsetup", "losetup", "mount", "umount", "blockdev"]
BUILT = ["bin/dmremap", "bin/dmremap-lab"]


class Missing(Exception):
    """Something that should be in the guest is not there; the message says what."""


class Archive:
    """Files, directories and links by their path in the guest, which has no leading slash."""

    def __init__(self):
        self._files, self._links, self._directories = {}, {}, set()

    def directory(self, path):
        while path and path not in self._directories:
            self._directories.add(path)
            path = os.path.dirname(path)

    def file(self, path, data, mode=0o644):
        path = path.lstrip("/")
        self.directory(os.path.dirname(path))
        self._files[path] = (mode, data)

    def copy(self, source, path):
        with open(source, "rb") as file:
            self.file(path, file.read(), stat.S_IMODE(os.stat(source).st_mode))

    def link(self, path, target):
        self.directory(os.path.dirname(path))
        self._links[path] = target

    def has(self, path):
        return path.lstrip("/") in self._files

    def write(self, path):
        with open(path, "wb") as out:
            for number, (name, mode, data) in enumerate(self._entries(), 1):
                out.write(_newc_entry(number, name, mode, data))

    def _entries(self):
        for path in sorted(self._directories):
            yield path, stat.S_IFDIR | 0o755, b""
        for path, (mode, data) in sorted(self._files.items()):
            yield path, stat.S_IFREG | mode, data
        for path, target in sorted(self._links.items()):
            if path not in self._files:
                yield path, stat.S_IFLNK | 0o777, target.encode()
        yield "TRAILER!!!", 0, b""


def _newc_entry(number, name, mode, data):
    encoded = name.encode() + b"\0"
    #        inode   mode  uid gid links time size   device  rdev  name          check
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(encoded), 0)
    header = b"070701" + b"".join(b"%08X" % value for value in fields) + encoded
    return _padded(header) + _padded(data)


def _padded(data):
    return data + b"\0" * (-len(data) % 4)


# --- kernel modules --------------------------------------------------------------------------

def _module_name(path):
    return re.sub(r"\.ko(\.xz)?$", "", os.path.basename(path)).replace("-", "_")


def _read_module(path):
    with open(path, "rb") as file:
        data = file.read()
    return lzma.decompress(data) if path.endswith(".xz") else data


def _dependencies(kernel):
    """(paths by module name, paths that each path depends on), of modules.dep."""
    paths, depends = {}, {}
    with open(os.path.join(kernel.modules, "modules.dep"), encoding="ascii") as file:
        for line in file:
            path, _, rest = line.partition(":")
            paths[_module_name(path)] = path
            depends[path] = rest.split()
    return paths, depends


def _soft_dependencies(kernel):
    """Modules that a module asks for at run time, by name."""
    found = {}
    with open(os.path.join(kernel.modules, "modules.softdep"), encoding="ascii") as file:
        for line in file:
            words = line.split()
            if words[:1] == ["softdep"]:
                found[words[1].replace("-", "_")] = [
                    word.replace("-", "_") for word in words[2:] if not word.endswith(":")]
    return found


def _built_in(kernel):
    with open(os.path.join(kernel.modules, "modules.builtin"), encoding="ascii") as file:
        return {_module_name(line.strip()) for line in file}


def add_modules(archive, kernel, names, own):
    """The modules of these names and all that they depend on; and files of our own. Decompressed: not
    every guest's modprobe can."""
    paths, depends = _dependencies(kernel)
    soft, built_in = _soft_dependencies(kernel), _built_in(kernel)
    wanted = set()
    for path in own:
        names = names + re.findall(rb"\0depends=([^\0]*)", _read_module(path))[0].decode().split(",")
    pending = [name.replace("-", "_") for name in names if name]
    optional = set(MAY_BE_MISSING)
    seen = set()
    while pending:
        name = pending.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in paths:
            if name not in built_in and name not in optional and \
                    name not in {_module_name(path) for path in own}:
                raise Missing(f"kernel {kernel.release} has no module {name}")
            continue
        wanted.add(paths[name])
        wanted.update(depends[paths[name]])
        for needed in soft.get(name, []):
            optional.add(needed)
            pending.append(needed)
    with tempfile.TemporaryDirectory(prefix="dmremap-guest-") as scratch:
        base = os.path.join(scratch, "lib/modules", kernel.release)
        for path in wanted:
            _write(os.path.join(base, path.removesuffix(".xz")),
                   _read_module(os.path.join(kernel.modules, path)))
        for path in own:
            _write(os.path.join(base, "extra", os.path.basename(path)), _read_module(path))
        for listing in ("modules.builtin", "modules.order", "modules.builtin.modinfo"):
            shutil.copy(os.path.join(kernel.modules, listing), base)
        subprocess.run(["depmod", "-b", scratch, kernel.release], check=True)
        for path in glob.glob(f"{base}/**", recursive=True):
            if os.path.isfile(path):
                archive.copy(path, os.path.relpath(path, scratch))


def _write(path, data):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(data)


# --- programs --------------------------------------------------------------------------------

def find_program(name):
    """A program of the host by its name, or a file that was built by its path."""
    path = name if "/" in name else shutil.which(name)
    if path is None or not os.path.exists(path):
        raise Missing(f"{name} is not there: build it, or see packaging/debian-packages*.txt")
    return path


def add_program(archive, name):
    path = find_program(name)
    archive.file(f"usr/bin/{os.path.basename(path)}", _without_debug_info(path), 0o755)
    with open(path, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return
    listing = subprocess.run(["ldd", path], capture_output=True, text=True, check=False).stdout
    if "not found" in listing:
        raise Missing(f"{name}: a library of it is not there:\n{listing}")
    for library in re.findall(r"(/\S+) \(0x", listing):
        if not archive.has(library):
            archive.copy(os.path.realpath(library), library)


def _without_debug_info(path):
    """Four fifths of our programs are debug information."""
    if path.startswith(places.BUILD + "/") and shutil.which("strip"):
        with tempfile.NamedTemporaryFile(prefix="dmremap-guest-") as file:
            subprocess.run(["strip", "--strip-debug", "-o", file.name, path], check=True)
            with open(file.name, "rb") as stripped:
                return stripped.read()
    with open(path, "rb") as file:
        return file.read()


# --- packages --------------------------------------------------------------------------------

def _package_root(name):
    """Where a package of Debian lies unpacked, fetched if need be."""
    root = os.path.join(places.KERNELS, "packages", name)
    if not os.path.isdir(root):
        shutil.rmtree(root + ".new", ignore_errors=True)
        os.makedirs(os.path.dirname(root), exist_ok=True)
        kernels.unpack(name, places.KERNELS, root + ".new")
        os.rename(root + ".new", root)
    return root


def _place_in_guest(path):
    """Programs of a package lie where the guest has all of its programs, and what udev runs where
    systemd's own files are."""
    directory, name = os.path.split(path)
    if directory in ("bin", "sbin", "usr/sbin"):
        return f"usr/bin/{name}"
    return re.sub(r"^lib/(udev|systemd)/", r"usr/lib/\1/", path)


def add_packages(archive, names):
    """The files of these packages but for their documents, and the libraries that their programs load,
    of the packages or of the host."""
    roots = [_package_root(name) for name in names]
    libraries = [f"{root}/{directory}/x86_64-linux-gnu" for root in roots
                 for directory in ("lib", "usr/lib")]
    environment = {**os.environ, "LD_LIBRARY_PATH": ":".join(libraries)}
    for root in roots:
        for where, _, files in os.walk(root):
            for name in files:
                source = os.path.join(where, name)
                path = os.path.relpath(source, root)
                if not path.startswith(("usr/share/", "var/")):
                    _add_packaged(archive, source, path, environment)


def _add_packaged(archive, source, path, environment):
    place = _place_in_guest(path)
    if path.startswith(("bin/", "sbin/")):
        archive.link(path, f"../{place}")  # rules and units name it so
    if os.path.islink(source):
        archive.link(place, os.readlink(source))
        return
    archive.copy(source, place)
    with open(source, "rb") as file:
        if file.read(4) != b"\x7fELF":
            return
    listing = subprocess.run(["ldd", source], capture_output=True, text=True, check=False,
                             env=environment).stdout
    if "not found" in listing:
        raise Missing(f"{source}: a library of it is not there:\n{listing}")
    for library in re.findall(r"=> (/\S+) \(0x", listing):
        inside = re.sub(r"^.*/packages/[^/]+/", "/", library)
        if not archive.has(inside):
            archive.copy(os.path.realpath(library), inside)


def check(payload, kernel, version):
    """Raises Missing if something that a payload asks for is not there."""
    paths, _ = _dependencies(kernel)
    for name in payload.paths("modules", version):
        if name.replace("-", "_") not in paths.keys() | _built_in(kernel):
            raise Missing(f"kernel {kernel.release} has no module {name}")
    for program in payload.paths("programs", version):
        find_program(program)
    for file in payload.paths("files", version) + payload.paths("module", version):
        if not os.path.exists(file):
            raise Missing(f"{file} is not there: has it been built?")


def write(path, kernel, programs=(), modules=(), own_modules=(), packages=()):
    """An initrd for `kernel` at `path`: what all guests have, and these."""
    archive = Archive()
    find_program(BUSYBOX)
    archive.copy(BUSYBOX, "bin/busybox")
    applets = subprocess.run([BUSYBOX, "--list"], capture_output=True, text=True, check=True).stdout
    for applet in applets.split():
        archive.link(f"bin/{applet}", "busybox")
    archive.link("bin/sh", "../usr/bin/dash")
    archive.link("sbin/modprobe", "../bin/busybox")  # where the kernel looks for it
    archive.link("usr/sbin", "bin")
    # Debian's programs look for what belongs to systemd and udev here.
    for name in ("systemd", "udev"):
        archive.link(f"lib/{name}", f"../usr/lib/{name}")
    for directory in ("dev", "etc", "mnt", "out", "proc", "root", "run", "sys", "tmp", "var"):
        archive.directory(directory)
    archive.link("var/run", "../run")
    archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n")
    archive.file("etc/group", b"root:x:0:\nnogroup:x:65534:\n")
    archive.link("etc/mtab", "../proc/self/mounts")
    archive.copy(os.path.join(places.HERE, "init"), "init")
    add_modules(archive, kernel, MODULES + list(modules), list(own_modules))
    built = [os.path.join(places.BUILD, name) for name in BUILT]
    for program in [*built, *PROGRAMS, *programs]:
        add_program(archive, program)
    add_packages(archive, list(packages))
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    archive.write(path)
