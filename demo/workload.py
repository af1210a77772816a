# SPDX-License-Identifier: GPL-2.0-or-later
"""What a user does with the disk, and how it went: the same in both lanes.

Nothing here knows which lane it runs in. An operation that fails is counted and the work goes on,
as a user would go on."""

import errno
import hashlib
import os
import tarfile
import threading
import time
from dataclasses import dataclass, field

import product
import support
from support import MIB

CHUNK = MIB


@dataclass
class Outcome:
    """What the user of one lane met."""
    read_errors: dict = field(default_factory=dict)   # path -> failed reads
    write_errors: dict = field(default_factory=dict)  # path -> failed writes, fsyncs, unlinks ...
    refused_read_only: int = 0                        # operations that met EROFS
    other_errors: list = field(default_factory=list)  # none is expected
    longest_stall: float = 0.0                        # of one system call, seconds
    stalled_in: str = ""
    fio_errors: int = 0
    expected: dict = field(default_factory=dict)      # path -> SHA-256 the user counts on

    def eio_reads(self):
        return sum(self.read_errors.values())

    def eio_writes(self):
        return sum(self.write_errors.values()) + self.fio_errors


class Gave(Exception):
    """The operation on this file failed and has been counted."""


class Workload:
    """`root` is the mount point; `console` is told of each step."""

    def __init__(self, root, disk, plan, console):
        self.root, self.disk, self.plan, self.console = root, disk, plan, console
        self.outcome = Outcome(expected=dict(disk.manifest))
        names = sorted(disk.manifest)
        apart = {plan.lost_file, plan.rewritten_file, plan.deleted_file}
        plain = [name for name in names if name not in apart]
        self.to_copy = _up_to(plain, disk.sizes, disk.scale.copies)
        self.to_delete = plain[1::6]
        kept = sorted(set(plain) - set(self.to_delete))
        self.to_copy_last = _up_to(kept[2::7], disk.sizes, disk.scale.copies // 8)

    # --- the steps ---

    def read_everything(self):
        names = sorted(self.outcome.expected)
        with self.console.step(f"reading {len(names)} files, as a backup would", self.errors):
            for name in names:
                self._attempt(self._read, name)

    def rewrite_in_place(self):
        name = self.plan.rewritten_file
        with self.console.step(f"rewriting {os.path.basename(name)} in place", self.errors):
            data = support.pattern(0, self.disk.sizes[name] // 512 + 1, seed="rewritten")
            data = data[:self.disk.sizes[name]]
            self.outcome.expected[name] = hashlib.sha256(data).hexdigest()
            self._attempt(self._write, name, [data], in_place=True)

    def copy(self, names, into):
        size = sum(self.disk.sizes[name] for name in names)
        with self.console.step(f"copying {len(names)} files, {size // MIB} MiB", self.errors):
            for name in names:
                target = into + name.removeprefix("files")
                # What the user asked for: a copy of what the source holds.
                self.outcome.expected[target] = self.outcome.expected[name]
                self._attempt(self._copy, name, target)

    def delete(self):
        names = [*self.to_delete, self.plan.deleted_file]
        with self.console.step(f"deleting {len(names)} files", self.errors):
            for name in names:
                del self.outcome.expected[name]
                self._attempt(self._unlink, name)

    def unpack(self):
        count = len(self.disk.tar_manifest)
        with self.console.step(f"unpacking a tar of {count} files", self.errors):
            self.outcome.expected.update(self.disk.tar_manifest)
            with tarfile.open(self.disk.tar) as tar:
                for member in tar:
                    source = tar.extractfile(member)
                    self._attempt(self._write, member.name, iter(lambda s=source: s.read(CHUNK), b""))

    def fio_while(self, inject):
        """fio writes all of its file in random order and verifies it; meanwhile `inject` runs."""
        with self.console.step("fio: random writes with verify", self.errors):
            injector = threading.Thread(target=inject)
            injector.start()
            try:
                scale = self.disk.scale
                job = product.fio(os.path.join(self.root, "fio.dat"), size=scale.fio,
                                  options=[f"--rate_iops=,{scale.fio_iops}"])
            finally:
                injector.join()
            self.outcome.fio_errors += product.fio_errors(job)

    def fio_again(self):
        """Only verifies what the earlier run wrote; how many blocks are not as written."""
        job = product.fio(os.path.join(self.root, "fio.dat"), size=self.disk.scale.fio,
                          rw="read")
        return product.fio_errors(job)

    def errors(self):
        out = self.outcome
        return out.eio_reads(), out.eio_writes(), out.refused_read_only

    # --- one file ---

    def _attempt(self, operation, *args, **named):
        try:
            operation(*args, **named)
        except Gave:
            pass

    def _call(self, errors, name, call, *args):
        """One system call, timed; an error is counted under `name`."""
        began = time.monotonic()
        try:
            return call(*args)
        except OSError as error:
            if error.errno == errno.EIO:
                errors[name] = errors.get(name, 0) + 1
            elif error.errno == errno.EROFS:
                self.outcome.refused_read_only += 1
            else:
                self.outcome.other_errors.append(f"{name}: {error.strerror}")
            raise Gave from error
        finally:
            took = time.monotonic() - began
            if took > self.outcome.longest_stall:
                self.outcome.longest_stall = took
                self.outcome.stalled_in = f"{getattr(call, '__name__', 'call')} {name}"

    def _chunks(self, name):
        errors = self.outcome.read_errors
        path = os.path.join(self.root, name)
        # File objects, not numbers: an interrupt never leaves one open on a file system to unmount.
        with self._call(errors, name, _open, path, "rb") as file:
            while chunk := self._call(errors, name, file.read, CHUNK):
                yield chunk

    def _read(self, name):
        for _ in self._chunks(name):
            pass

    def _copy(self, name, target):
        self._write(target, self._chunks(name))

    def _write(self, name, chunks, in_place=False):
        errors = self.outcome.write_errors
        path = os.path.join(self.root, name)
        self._call(errors, name, _make_parents, path)
        with self._call(errors, name, _open, path, "r+b" if in_place else "wb") as file:
            for chunk in chunks:
                self._call(errors, name, file.write, chunk)
            self._call(errors, name, os.fsync, file)

    def _unlink(self, name):
        self._call(self.outcome.write_errors, name, os.unlink, os.path.join(self.root, name))


def _open(path, mode):
    return open(path, mode, buffering=0)


def _make_parents(path):
    os.makedirs(os.path.dirname(path), exist_ok=True)


def _up_to(names, sizes, limit):
    taken, total = [], 0
    for name in names:
        if total + sizes[name] > limit:
            break
        taken.append(name)
        total += sizes[name]
    return taken


