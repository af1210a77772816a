# SPDX-License-Identifier: GPL-2.0-or-later
"""What the end-to-end tests share.

A test is one file and one behaviour:

    import support
    from support import check, equal

    def adopted_in_place(t):
        disk = t.lab(size="64MiB")              # a disk that fails on command, at disk.path
        disk.fault("read", "2048+8")
        with support.expect_errno(errno.EIO):
            support.read_sectors(disk.path, 2048, 8)

    support.run_test(adopted_in_place, root=True, fuse=True)

Each test has a directory of its own (t.dir) and its own DMREMAP_RUNTIME_DIR, so that tests can run
side by side. Whatever a test puts up goes on t.cleanup and is taken down in reverse order, also
when it fails, is interrupted or runs out of time.
"""

import contextlib
import errno
import hashlib
import json
import mmap
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

SECTOR = 512
KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30
SKIPPED = 77

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
os.environ["PATH"] = os.environ.get("PATH", "/usr/bin:/bin") + ":/usr/sbin:/sbin"
DMREMAP = os.environ.get("DMREMAP", os.path.join(ROOT, "build/bin/dmremap"))
NBDKIT_PLUGIN = os.environ.get("NBDKIT_PLUGIN",
                               os.path.join(ROOT, "build/lib/nbdkit-dmremap-plugin.so"))
DMREMAP_LAB = os.environ.get("DMREMAP_LAB", os.path.join(ROOT, "build/bin/dmremap-lab"))


# --- what a machine must offer ---------------------------------------------------------------

def requires(root=False, fuse=False, loop=False, memory_group=False, programs=(),
             file_system=None):
    """Ends the test as skipped, with the reason, where the machine lacks something; as failed with
    CI=true, where a skipped test would be a hole nobody sees."""
    reason = what_is_missing(root, fuse, loop, programs)
    if reason is None and file_system is not None and not kernel_has(file_system):
        reason = f"needs a kernel with {file_system}"
    if reason is None and memory_group:
        import memory_group as group  # which builds on this module
        reason = group.what_is_missing()
    if reason is None:
        return
    if os.environ.get("CI") == "true":
        print(f"FAILED: {reason} (with CI=true a skip is a failure)", flush=True)
        sys.exit(1)
    print(f"SKIPPED: {reason}", flush=True)
    sys.exit(SKIPPED)


def what_is_missing(root, fuse, loop, programs):
    if root and os.geteuid() != 0:
        return "needs root: run it with sudo"
    if fuse:
        if root:
            subprocess.run(["modprobe", "-q", "fuse"], check=False, stderr=subprocess.DEVNULL)
        if not os.access("/dev/fuse", os.R_OK | os.W_OK):
            return "needs /dev/fuse: load the fuse module, or pass the device to the container"
    if loop:
        subprocess.run(["modprobe", "-q", "loop"], check=False, stderr=subprocess.DEVNULL)
        found = subprocess.run(["losetup", "--find"], capture_output=True, check=False)
        if found.returncode != 0:
            return "needs loop devices: load the loop module, or pass /dev/loop-control"
    for program in programs:
        if shutil.which(program) is None:
            return f"needs {program}: see packaging/debian-packages*.txt"
    return None


def kernel_has(file_system):
    subprocess.run(["modprobe", "-q", file_system], check=False, stderr=subprocess.DEVNULL)
    with open("/proc/filesystems", encoding="utf-8") as table:
        return file_system in table.read().split()


# --- checks ----------------------------------------------------------------------------------

class CheckFailed(Exception):
    """A promise that did not hold, or a program that did not do what it was asked."""


def check(condition, message):
    if not condition:
        raise CheckFailed(message)


def equal(actual, expected, what=""):
    check(actual == expected, f"{what or 'value'}: expected {expected!r}, got {actual!r}")


def equal_bytes(actual, expected, what="data"):
    """As equal, naming the first byte that differs instead of printing both."""
    if actual == expected:
        return
    equal(len(actual), len(expected), f"{what}: length")
    at = next(i for i, (a, b) in enumerate(zip(actual, expected)) if a != b)
    raise CheckFailed(f"{what}: first difference at byte {at} (sector {at // SECTOR} + "
                      f"{at % SECTOR}): expected {expected[at]:#04x}, got {actual[at]:#04x}")


@contextlib.contextmanager
def expect_errno(number):
    """The block must raise an OSError with this errno."""
    name = errno.errorcode[number]
    try:
        yield
    except OSError as error:
        got = errno.errorcode.get(error.errno, error.errno)
        check(error.errno == number, f"expected {name}, got {got}")
        return
    raise CheckFailed(f"expected {name}, but it succeeded")


def wait_until(condition, what, seconds=200, every=0.05):
    """Polls until condition() is true and returns what it returned."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        check(time.monotonic() < deadline, f"{what}: not within {seconds} s")
        time.sleep(every)


# --- running programs ------------------------------------------------------------------------

class Outcome:
    """What a finished program left: exit, out, err."""

    def __init__(self, args, exit, out, err):
        self.args, self.exit, self.out, self.err = args, exit, out, err

    def json(self):
        try:
            return json.loads(self.out)
        except ValueError as error:
            raise CheckFailed(f"{self}: stdout is not JSON ({error})") from error

    def error_json(self):
        """The `error` object that --json verbs print to stderr."""
        try:
            return json.loads(self.err)["error"]
        except (ValueError, KeyError, TypeError) as error:
            raise CheckFailed(f"{self}: stderr is no JSON error ({error})") from error

    def one_line_error(self):
        """The error line; fails unless stderr is exactly one line."""
        lines = self.err.splitlines()
        check(len(lines) == 1, f"{self}: expected one line on stderr")
        return lines[0]

    def __str__(self):
        return (f"`{' '.join(self.args)}` exit {self.exit}\n  stdout: {self.out.strip()}"
                f"\n  stderr: {self.err.strip()}")


def run(*args, expect=0, timeout=300, input=None, env=None, cwd=None):
    """Runs a program to its end. `expect` is the exit status (or a tuple of them) that it must
    have, None for any."""
    args = [str(a) for a in args]
    done = subprocess.run(args, capture_output=True, text=True, errors="replace", timeout=timeout,
                          input=input, env=env, cwd=cwd, check=False)
    outcome = Outcome(args, done.returncode, done.stdout, done.stderr)
    if expect is not None:
        wanted = expect if isinstance(expect, tuple) else (expect,)
        check(outcome.exit in wanted, f"expected exit {expect}: {outcome}")
    return outcome


def dmremap(*args, **options):
    return run(DMREMAP, *args, **options)


def dmremap_lab(*args, **options):
    return run(DMREMAP_LAB, *args, **options)


# --- sectors ---------------------------------------------------------------------------------

def pattern(sector, count=1, seed=0):
    """Bytes that differ for every sector and every seed, so that a sector in the wrong place or of
    the wrong time is seen."""
    return b"".join(
        (hashlib.sha256(f"{seed}:{s}".encode()).digest() * (SECTOR // 32))
        for s in range(sector, sector + count))


def _aligned(size):
    return mmap.mmap(-1, max(size, 1))


def read_sectors(path, sector, count=1):
    """One O_DIRECT pread; a short read is an error."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECT)
    try:
        buffer = _aligned(count * SECTOR)
        got = os.preadv(fd, [memoryview(buffer)[:count * SECTOR]], sector * SECTOR)
        check(got == count * SECTOR, f"{path}: short read of {got} bytes at sector {sector}")
        return buffer[:count * SECTOR]
    finally:
        os.close(fd)


def write_sectors(path, sector, data):
    """One O_DIRECT pwrite of whole sectors; a short write is an error."""
    fd = os.open(path, os.O_WRONLY | os.O_DIRECT)
    try:
        buffer = _aligned(len(data))
        buffer[:len(data)] = data
        put = os.pwritev(fd, [memoryview(buffer)[:len(data)]], sector * SECTOR)
        check(put == len(data), f"{path}: short write of {put} bytes at sector {sector}")
    finally:
        os.close(fd)


def flush(path):
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


# --- what a test stands on -------------------------------------------------------------------

class Cleanup:
    """What to take down, last first. A step that fails is reported and the rest still run."""

    def __init__(self):
        self._steps = []

    def push(self, step, *args, **named):
        self._steps.append((step, args, named))

    def close(self):
        """True if every step worked."""
        fine = True
        while self._steps:
            step, args, named = self._steps.pop()
            try:
                step(*args, **named)
            except Exception as error:  # the next step must run whatever this one met
                fine = False
                print(f"cleanup: {getattr(step, '__qualname__', step)}: {error}", flush=True)
        return fine


def parse_size(size):
    """Bytes of 65536, "64MiB", "1GiB"."""
    if isinstance(size, int):
        return size
    for suffix, factor in (("KiB", KIB), ("MiB", MIB), ("GiB", GIB)):
        if size.endswith(suffix):
            return int(size[:-len(suffix)]) * factor
    return int(size)


class Test:
    """One test's directory, runtime directory and cleanup."""

    def __init__(self, name):
        self.cleanup = Cleanup()
        self.dir = tempfile.mkdtemp(prefix=f"dmremap-{name}-")
        self.cleanup.push(self._remove_dir)
        self.runtime_dir = self.path("run")
        os.environ["DMREMAP_RUNTIME_DIR"] = self.runtime_dir
        self._labs = []

    def path(self, *parts):
        return os.path.join(self.dir, *parts)

    def image(self, name, size, fill=None):
        """A file of `size`: zeros, or pattern(fill=seed) in every sector."""
        path = self.path(name)
        size = parse_size(size)
        with open(path, "wb") as file:
            if fill is not None:
                step = 2048
                for sector in range(0, size // SECTOR, step):
                    file.write(pattern(sector, min(step, size // SECTOR - sector), fill))
            file.truncate(size)
        return path

    def random_file(self, name, size, seed=0):
        path = self.path(name)
        with open(path, "wb") as file:
            file.write(random.Random(seed).randbytes(parse_size(size)))
        return path

    def lab(self, image=None, size="16MiB", fill=None, faults=None):
        """Serves an image (a new one unless given) as a failing disk until the test ends."""
        number = len(self._labs) + 1
        image = image or self.image(f"disk{number}.img", size, fill)
        lab = Lab(image, self.path(f"disk{number}"))
        self._labs.append(lab)
        self.cleanup.push(lab.end)
        lab.serve(faults)
        return lab

    def loop(self, path, direct_io=True):
        """Attaches a file as a loop device until the test ends; its /dev path."""
        device = attach_loop(path, direct_io)
        self.cleanup.push(detach_loop, device, only_over=loop_backing(device))
        return device

    def mount(self, device, name="mnt", *options):
        """Mounts a file system until the test ends; its mount point."""
        point = self.path(name)
        os.makedirs(point, exist_ok=True)
        run("mount", *options, device, point)
        self.cleanup.push(unmount, point, missing_ok=True)
        return point

    def take_down(self):
        """True if everything came down. Disks are made healthy first: a slow or unplugged one would
        hold up, or fail, the unmounting of what lies on it."""
        for lab in self._labs:
            lab.heal()
        return self.cleanup.close()

    def _remove_dir(self):
        # Never descend into a mount that a failed step left behind.
        left = mounts_below(self.dir)
        check(not left, f"still mounted: {', '.join(left)}")

        def keep_on(_, path, error):
            # A server that ends removes its own file.
            if not isinstance(error[1], FileNotFoundError):
                raise error[1]

        shutil.rmtree(self.dir, onerror=keep_on)


def files_below(directory):
    """Their paths from there."""
    return {os.path.relpath(os.path.join(where, name), directory)
            for where, _, names in os.walk(directory) for name in names}


def mounts_below(directory):
    """Mount points at or below a directory, in the order they were made."""
    points = []
    with open("/proc/self/mountinfo", encoding="utf-8", errors="replace") as table:
        for line in table:
            point = line.split()[4].encode().decode("unicode_escape")
            if point == directory or point.startswith(directory + "/"):
                points.append(point)
    return points


def is_mounted(path):
    return path in mounts_below(path)


def unmount(point, missing_ok=False):
    if missing_ok and not is_mounted(point):
        return
    run("umount", point)


def attach_loop(path, direct_io=True):
    flag = "on" if direct_io else "off"
    return run("losetup", "--find", "--show", f"--direct-io={flag}", path).out.strip()


# What the kernel names a backing file whose mount is gone.
BEHIND_NO_MOUNT = "/"


def detach_loop(device, missing_ok=False, only_over=None):
    """Detaches and waits until the device is really free: the kernel does it lazily. `only_over`:
    unless it has another file by now, which somebody else attached."""
    backing = loop_backing(device)
    if missing_ok and backing is None:
        return
    if only_over is not None and backing not in (only_over, f"{only_over} (deleted)", BEHIND_NO_MOUNT):
        return
    run("losetup", "--detach", device)
    # Another test may have taken it at once.
    wait_until(lambda: loop_backing(device) != backing, f"{device} detached")


def loop_backing(device):
    """The file behind a loop device, or None if it is free."""
    name = os.path.basename(device)
    try:
        with open(f"/sys/block/{name}/loop/backing_file", encoding="utf-8") as file:
            return file.read().strip()
    except OSError:
        return None


class Lab:
    """A disk that fails on command: IMAGE served at the path `path`."""

    def __init__(self, image, mountfile):
        self.image = image
        self.path = mountfile

    def serve(self, faults=None):
        options = ["--faults", faults] if faults else []
        dmremap_lab("serve", self.image, self.path, "--background", *options)

    def fault(self, kinds, where):
        dmremap_lab("fault", self.path, kinds, where)

    def clear(self, where=None):
        dmremap_lab("clear", self.path, *([where] if where is not None else []))

    def unplug(self):
        dmremap_lab("unplug", self.path)

    def replug(self):
        dmremap_lab("replug", self.path)

    def show(self):
        return dmremap_lab("show", self.path, "--json").json()

    def save(self, file, form="list"):
        return dmremap_lab("save", self.path, file, "--format", form)

    def stop(self, expect=0):
        return dmremap_lab("stop", self.path, expect=expect)

    def heal(self):
        """For cleanup: no faults, no arm, plugged in; whether it runs or not."""
        for command in (["clear", self.path], ["mode", self.path, "instant"], ["replug", self.path]):
            dmremap_lab(*command, expect=None)

    def end(self):
        """For cleanup: stops it if it still runs, and leaves no mount even if it was killed."""
        dmremap_lab("stop", self.path, expect=None)
        if is_mounted(self.path):
            run("umount", "--lazy", self.path)


# --- the frame of a test ---------------------------------------------------------------------

def _stop_on_signal(number, _frame):
    raise CheckFailed("out of time" if number == signal.SIGALRM
                      else f"ended by {signal.Signals(number).name}")


def _check_name(test):
    """A test beside others is imported instead of what it is named like: it would run, and pass, in
    the place of whoever wants a `copy`."""
    path = test.__code__.co_filename
    name = os.path.basename(path).removesuffix(".py")
    if name in sys.stdlib_module_names or test.__module__ != "__main__":
        print(f"FAILED: {path} is named like a module that others import: rename it", flush=True)
        os._exit(1)


def run_test(test, **needs):
    """Runs test(t) and exits 0, 1 or 77. `needs` are the arguments of requires()."""
    _check_name(test)
    requires(**needs)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGALRM):
        signal.signal(number, _stop_on_signal)
    # ctest kills without warning: end a little earlier, while we can still clean up.
    limit = int(os.environ.get("DMREMAP_TEST_TIMEOUT", "0"))
    if limit > 30:
        signal.alarm(limit - 15)
    t = Test(test.__name__)
    fine = False
    try:
        test(t)
        fine = True
    except Exception:  # whatever it was, the test failed and must still clean up
        traceback.print_exc(file=sys.stdout)
    finally:
        signal.alarm(0)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        fine = t.take_down() and fine
    print("passed" if fine else "FAILED", flush=True)
    sys.exit(0 if fine else 1)
