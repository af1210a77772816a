# SPDX-License-Identifier: GPL-2.0-or-later
"""One set under test: `dmremap` with its verbs as methods.

    disk = t.lab(size="64MiB")
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    ...
    dm.stop()
    dm.start("block", by_devices=True)
"""

import contextlib
import errno
import json
import os
import signal
import socket
import subprocess
import threading
import urllib.parse

import support
from support import check

# What `dmremap start --export nbd` has nbdkit load.
NBDKIT_RELAY_PLUGIN = os.path.join(os.path.dirname(support.NBDKIT_PLUGIN),
                                   "nbdkit-dmremap-relay-plugin.so")

# What a test leaves if it dies must not trip the next run, and tests run side by side: /dev/dm-remap
# is one directory for all of them.
_count = 0


def _unique_name():
    global _count
    _count += 1
    return f"t{os.getpid()}-{_count}"


class Product:
    """A set named `name`; whatever it leaves running is ended by the test's cleanup."""

    def __init__(self, t, main, spare, name=None):
        self.t = t
        self.name = name or _unique_name()
        self.main, self.spare = main, spare
        self.device = None
        t.cleanup.push(self.end)

    def run(self, verb, *args, **options):
        return support.dmremap(verb, *args, **options)

    def create(self, *options, expect=0):
        return self.run("create", self.name, self.main, self.spare, *options, expect=expect)

    def start(self, kind="block", *options, by_devices=False, expect=0, env=None):
        """Serves the set and returns where; with another `expect`, the outcome."""
        what = [self.spare, self.main] if by_devices else [self.name]
        done = self.run("start", *what, "--export", kind, *options, expect=expect, env=env)
        if expect != 0:
            return done
        lines = done.out.splitlines()
        check(len(lines) == 1, f"start prints one line for one export: {done}")
        check(os.path.exists(socket_of(lines[0]) or lines[0]), f"start names what is there: {done}")
        self.device = lines[0]
        return self.device

    def stop(self, expect=0):
        """When it returns, nothing of the set's process is left, its log neither."""
        pid = _pid_in(os.path.join(self.t.runtime_dir, f"{self.name}.pid"))
        done = self.run("stop", self.name, expect=expect)
        check(done.exit != 0 or pid is None or not is_alive(pid), f"process {pid} has ended")
        return done

    def status(self):
        """The object of `status --json`; exit 4 only says that something needs attention."""
        return self.run("status", self.name, "--json", expect=(0, 4)).json()

    def request(self, verb, **fields):
        """The reply of the running set to a request of its control socket."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(os.path.join(self.t.runtime_dir, f"{self.name}.sock"))
            lines = link.makefile("rw", encoding="utf-8")
            print(json.dumps({"version": 1, "verb": verb, **fields}), file=lines, flush=True)
            answer = json.loads(lines.readline())
        check(answer["ok"], f"{verb}: {answer}")
        return answer

    def events(self, kind=None):
        found = self.run("events", self.name, "--json").json()["events"]
        return [e for e in found if kind is None or e["kind"] == kind]

    def examine(self):
        return self.run("examine", self.spare, "--json", expect=(0, 4)).json()

    def make_gone(self, disk, sector, count=1):
        """Main loses from its cache what was written last, cannot read those sectors, and a flush
        tells of it. `disk`: the lab that is main."""
        support.write_sectors(self.device, sector, support.pattern(sector, count, "in the cache"))
        disk.fault("read", f"{sector}+{count}")
        disk.unplug()
        with contextlib.suppress(OSError):
            support.read_sectors(self.device, sector)
        support.wait_until(lambda: "tripped" in self.status()["conditions"], "tripped")
        disk.replug()
        support.wait_until(lambda: "tripped" not in self.status()["conditions"], "re-armed")
        with support.expect_errno(errno.EIO):
            support.flush(self.device)
        disk.clear(f"{sector}+{count}")
        where = self.run("explain", self.name, sector, "--json").json()
        support.equal((where["state"], where["extent"]["count"]), ("gone", count), "made gone")

    def spare_data_areas(self):
        """[(sector, count)] of the spare between its metadata copies: where replacements live."""
        copies = sorted((c["sector"], c["length_sectors"])
                        for d in self.examine()["devices"] for c in d["copies"])
        return [(first + length, following - first - length)
                for (first, length), (following, _) in zip(copies, copies[1:])
                if first + length < following]

    def kill(self, wait=True):
        """kill -9, as a crash would; waits until the process is gone with all its threads, and so
        with its locks and devices."""
        pid = self.status()["pid"]
        os.kill(pid, signal.SIGKILL)
        if not wait:
            return
        support.wait_until(lambda: not is_alive(pid), f"process {pid} dead")

    def is_running(self):
        done = self.run("list", "--json", expect=(0, 4))
        return any(entry.get("name") == self.name for entry in done.json()["sets"])

    def end(self):
        """For cleanup: no process, no loop device and no mount of this set stays, whatever
        happened before."""
        runtime = self.t.runtime_dir
        mount = os.path.join(runtime, f"{self.name}.dev")
        link = f"/dev/dm-remap/{self.name}"
        stopped = self.run("stop", self.name, expect=None)
        if stopped.exit != 0:
            pid = _pid_in(os.path.join(runtime, f"{self.name}.pid"))
            if pid is not None:
                os.kill(pid, signal.SIGKILL)
                support.wait_until(lambda: not is_alive(pid), f"process {pid} dead")
        for loop in loops_over(runtime):
            support.detach_loop(loop, missing_ok=True)
        if support.is_mounted(mount):
            support.run("umount", "--lazy", mount)
        if os.path.islink(link):
            os.unlink(link)


def socket_of(uri):
    """The path in nbd+unix:///?socket=PATH; None for anything else."""
    prefix = "nbd+unix:///?socket="
    return urllib.parse.unquote(uri[len(prefix):]) if uri.startswith(prefix) else None


def loops_over(directory):
    """Loop devices whose backing file lies, or lay, in a directory."""
    found = []
    for name in os.listdir("/sys/block"):
        backing = support.loop_backing(name) if name.startswith("loop") else None
        if backing is not None and backing.startswith(directory + "/"):
            found.append(f"/dev/{name}")
    return found


def nbdkit_of(pid):
    """The nbdkit that the process of a set runs now; None if there is none."""
    for task in os.listdir(f"/proc/{pid}/task"):
        try:
            with open(f"/proc/{pid}/task/{task}/children", encoding="utf-8") as file:
                children = file.read().split()
            for child in children:
                with open(f"/proc/{child}/comm", encoding="utf-8") as file:
                    if file.read().strip() == "nbdkit" and is_alive(int(child)):
                        return int(child)
        except OSError:
            continue  # it has just ended
    return None


def is_alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            if file.read().rpartition(")")[2].split()[0] != "Z":
                return True
        return len(os.listdir(f"/proc/{pid}/task")) > 1
    except OSError:
        return False


def _pid_in(path):
    """The process that runs by a pid file; None if there is none."""
    try:
        with open(path, encoding="utf-8") as file:
            pid = int(file.read())
        with open(f"/proc/{pid}/comm", encoding="utf-8") as file:
            return pid if file.read().startswith(("dmremap", "nbdkit")) else None
    except (OSError, ValueError):
        return None


class Follower:
    """`events NAME --follow`, each line handed to `on_line` in a thread of its own."""

    def __init__(self, name, on_line):
        self._process = subprocess.Popen(
            [support.DMREMAP, "events", name, "--follow"], stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, errors="replace", start_new_session=True)
        self._thread = threading.Thread(target=self._pump, args=(on_line,), daemon=True)
        self._thread.start()

    def _pump(self, on_line):
        for line in self._process.stdout:
            on_line(line.rstrip("\n"))

    def close(self):
        """Reads what is still to come for a moment, then ends it."""
        try:
            self._process.wait(timeout=0.2)
        except subprocess.TimeoutExpired:
            self._process.terminate()
            self._process.wait()
        self._thread.join(timeout=5)


def fio(target, *, size, rw="randwrite", block="4k", options=(), timeout=300):
    """fio with verify on a device or file: what it wrote is read back and compared. With rw="read"
    it compares what an earlier run wrote. Returns its job's object: errors are counted in it
    (`error`, `total_err`), not raised."""
    done = support.run(
        "fio", "--name=verify", f"--filename={target}", f"--size={size}", f"--rw={rw}",
        f"--bs={block}", "--direct=1", "--ioengine=libaio", "--iodepth=8", "--verify=crc32c",
        "--do_verify=1", "--verify_fatal=0", "--continue_on_error=all", "--verify_state_save=0",
        "--output-format=json", *options, expect=None, timeout=timeout)
    start = done.out.find("{")
    check(start >= 0, f"fio said nothing: {done}")
    return json.loads(done.out[start:])["jobs"][0]


def fio_errors(job):
    """How many of its operations failed or did not verify."""
    return max(job["total_err"], 1 if job["error"] else 0)
