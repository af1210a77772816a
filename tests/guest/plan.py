# SPDX-License-Identifier: GPL-2.0-or-later
"""Payloads: shell scripts that run as root in a guest, one file a behaviour.

What a payload needs stands in its first lines, `#: NEED VALUE`; all have a default:

    #: kernels 6.12 6.1         one run on each (6.12)
    #: timeout 120              seconds, on a loaded machine (300)
    #: when all                 `all`: only in `make guest`; `check`: in `make check` too (check)
    #: cpus 1                   (2)
    #: memory 2048              MiB (1024)
    #: icount yes               count instructions: one CPU, one nanosecond each (no)
    #: icount idle              the same, and while all wait, time passes as it does on the host
    #: append slub_debug=FZPU   to the kernel's command line
    #: drive NAME 64MiB         an empty disk image on the host, as QEMU's drive NAME
    #: device nvme,drive=NAME   what QEMU gets as -device
    #: programs fio mkfs.ext4   of the host; with their libraries
    #: packages lvm2 mdadm      of Debian: downloaded and unpacked for the guest, not installed
    #: modules nvme btrfs       of the kernel, beside those in initrd.MODULES
    #: files {build}/x          host files for the payload's directory; {build}, {source}, {kernel}
    #: module {build}/kernel/{kernel}/dm-remap.ko    one of our own, for modprobe

`append`, `drive`, `device`, `programs`, `packages`, `modules`, `files` and `module` may be given several times.
Payloads that ask for the same machine on the same kernel share a boot."""

import os
import re
from dataclasses import dataclass, field

import kernels
import places
import support

LISTS = ("append", "drive", "device", "programs", "packages", "modules", "files", "module")


class HeaderError(Exception):
    """A payload's header does not make sense."""


@dataclass
class Payload:
    path: str
    kernels: tuple = ("6.12",)
    timeout: int = 300
    when: str = "check"
    cpus: int = 2
    memory: int = 1024
    icount: bool = False
    idle_leaps: bool = True  # of one that counts instructions
    append: list = field(default_factory=list)
    drive: list = field(default_factory=list)
    device: list = field(default_factory=list)
    programs: list = field(default_factory=list)
    packages: list = field(default_factory=list)
    modules: list = field(default_factory=list)
    files: list = field(default_factory=list)
    module: list = field(default_factory=list)

    @property
    def name(self):
        return os.path.basename(self.path).removesuffix(".sh")

    def paths(self, need, kernel):
        """`programs`, `modules`, `files` or `module`, for a kernel."""
        return [path.format(build=places.BUILD, source=places.SOURCE, kernel=kernel)
                for path in getattr(self, need)]

    def machine(self):
        """Two payloads with equal ones can share a boot."""
        return (self.when, self.cpus, self.memory, self.icount, self.idle_leaps,
                tuple(self.append),
                tuple(self.drive), tuple(self.device))


@dataclass
class Boot:
    """One run of a kernel with payloads in it."""

    kernel: str
    payloads: list

    @property
    def name(self):
        return f"{self.payloads[0].name}.{self.kernel}"

    @property
    def machine(self):
        return self.payloads[0]

    def seconds(self):
        """What ctest may give it: each payload may end its guest and need another."""
        return BOOT_SECONDS + sum(p.timeout + DUMP_SECONDS + BOOT_SECONDS for p in self.payloads)


# From QEMU's start to the first payload, and from a payload's timeout to the guest's end; a loaded
# machine needs forty seconds for what an idle one does in five.
BOOT_SECONDS = 300
DUMP_SECONDS = 120


def read(path):
    payload = Payload(path)
    with open(path, encoding="utf-8") as file:
        for line in file:
            if not line.startswith("#") and line.strip():
                break
            match = re.match(r"#:\s*(\w+)\s+(.*\S)", line)
            if match is not None:
                _take(payload, match[1], match[2])
            elif line.startswith("#:"):
                raise HeaderError(f"{path}: `#: NEED VALUE` is expected, not {line.rstrip()!r}")
    if payload.icount:
        payload.cpus = 1
    return payload


def _take(payload, need, value):
    where = payload.path
    if need in ("drive", "device"):
        getattr(payload, need).append(value)
    elif need in LISTS:
        getattr(payload, need).extend(value.split())
    elif need in ("timeout", "cpus", "memory"):
        if not value.isdigit():
            raise HeaderError(f"{where}: {need} is a number, not {value!r}")
        setattr(payload, need, int(value))
    elif need == "kernels":
        unknown = set(value.split()) - set(kernels.VERSIONS)
        if unknown:
            raise HeaderError(f"{where}: unknown kernels: {' '.join(sorted(unknown))}")
        payload.kernels = tuple(value.split())
    elif need == "when" and value in ("check", "all"):
        payload.when = value
    elif need == "icount" and value in ("yes", "idle", "no"):
        payload.icount = value != "no"
        payload.idle_leaps = value != "idle"
    else:
        raise HeaderError(f"{where}: no such need: {need} {value}")


def all_payloads(directory=places.PAYLOADS):
    return [read(os.path.join(directory, name)) for name in sorted(os.listdir(directory))
            if name.endswith(".sh")]


# In a boot one payload runs at a time, and two boots may run side by side.
PAYLOADS_MOST = 8


def boots(payloads, only_kernel=None):
    """How these payloads are run: in few boots, as their needs allow."""
    groups = {}
    for payload in payloads:
        for kernel in payload.kernels:
            if only_kernel in (None, kernel):
                groups.setdefault((kernel, payload.machine()), []).append(payload)
    return [Boot(kernel, group[first:first + PAYLOADS_MOST])
            for (kernel, _), group in groups.items()
            for first in range(0, len(group), PAYLOADS_MOST)]


def drives(payload):
    """[(name, bytes)] of a payload's drives."""
    found = []
    for drive in payload.drive:
        words = drive.split()
        if len(words) != 2:
            raise HeaderError(f"{payload.path}: drive NAME SIZE, not {drive!r}")
        found.append((words[0], support.parse_size(words[1])))
    return found
