# SPDX-License-Identifier: GPL-2.0-or-later
"""One guest under QEMU, without KVM: the same instructions on every machine, and no rights needed.

The kernel has the first serial port for its console, which therefore holds nothing else. The init
speaks over a virtio port (`report`): a line `@guest WORD...` is what happened, the rest is what
payloads print. Files go in as a tar archive on a disk with serial `in` and come out on another one.

The host keeps the time, as only its clock goes on when the guest's stands still: a payload that has
had its share is made to show what waits (`dump`), and a guest that does not do even that is killed."""

import contextlib
import json
import os
import re
import socket
import subprocess
import tarfile
import tempfile
import time
from dataclasses import dataclass, field

import host_clock
import initrd
import places
import plan

QEMU = "qemu-system-x86_64"
OUT_BYTES = 256 << 20
LINES_MAX = 100_000
# On a machine with other work a processor of the guest may stand still for half a minute, which the
# kernel's watchdog calls a lockup and reports as a bug; at most 60 can be set, and it waits twice
# that. A `quiet` kernel would not show the lines that are looked for.
COMMAND_LINE = ("console=ttyS0 loglevel=7 panic=-1 oops=panic printk.devkmsg=on watchdog_thresh=60 "
                "mitigations=off no_timer_check tsc=reliable audit=0 apparmor=0 random.trust_cpu=on "
                "init_on_alloc=0 rcupdate.rcu_expedited=1 cryptomgr.notests i8042.noaux i8042.nokbd")
# QEMU 7.2 runs cmpxchg16b wrongly: guests that have it panic.
CPU = "max,-cx16"
# With these two, an instruction that copies a block would count once for each byte.
ICOUNT_CPU = CPU + ",-erms,-fsrm"


def command_line(icount=False):
    """What every kernel gets. The clock of a guest that counts instructions is right by itself."""
    return COMMAND_LINE if icount else f"{COMMAND_LINE} tsc_early_khz={host_clock.counter_khz()}"


# What begin and end of a payload take to be told to the host, on a loaded machine.
CLOCK_OFF_S = 20

COMPLAINTS = re.compile(
    r"BUG:|WARNING:|Oops|hung task|blocked for more than|Kernel panic|general protection fault")


@dataclass
class Section:
    """What one payload did in one guest."""

    name: str
    status: str = ""        # as the init told it: a number, or `left`; empty if it did not come back
    lines: list = field(default_factory=list)  # what it printed
    room: int = LINES_MAX
    console: str = ""       # the kernel's, from its begin to its end
    seconds: float = 0
    own_seconds: float | None = None  # by the guest's clock; None where that is another one
    timed_out: bool = False

    def take(self, line):
        """One that prints without end fails when its time is up; it must not take all memory."""
        self.room -= 1
        if self.room >= 0:
            self.lines.append(line)
        elif self.room == -1:
            self.lines.append(f"(more than {LINES_MAX} lines; the rest is left out)")

    def failure(self):
        """Why it failed, in a line; empty if it passed."""
        complaint = first_complaint(self.console)
        if self.timed_out:
            return f"ran out of time after {self.seconds:.0f} s"
        if self.status == "":
            return "the guest died" + (f": {complaint}" if complaint else "")
        if complaint:
            return f"the kernel complained: {complaint}"
        off = abs(self.own_seconds - self.seconds) if self.own_seconds is not None else 0
        if off > CLOCK_OFF_S + self.seconds / 20:
            return f"the guest's clock is wrong: {self.own_seconds:.0f} s in {self.seconds:.0f} s"
        if self.status == "left":
            return "it left something behind"
        return "" if self.status == "0" else f"exit {self.status}"


@dataclass
class Run:
    """What one guest did."""

    sections: list = field(default_factory=list)
    console: str = ""       # all of it
    came_up: bool = False
    trouble: str = ""       # why it did not come up
    up_seconds: float = 0


def first_complaint(console):
    for line in console.splitlines():
        if COMPLAINTS.search(line):
            return line.strip()
    return ""


def split_console(console):
    """{payload: the console's part from its begin to its end}, by the marks that the init leaves
    there; what came before the first one under None."""
    parts, current = {None: []}, None
    for line in console.splitlines():
        mark = re.search(r"guest: (begin|end) (\S+)$", line)
        if mark is not None and mark[1] == "begin":
            current = mark[2]
        parts.setdefault(current, []).append(line)
    return {name: "\n".join(lines) for name, lines in parts.items()}


def own_seconds(console):
    """From a payload's begin to its end by the guest's clock; None if it has not ended."""
    marks = re.findall(r"^\[ *([\d.]+)\] guest: (begin|end) ", console, re.MULTILINE)
    if [mark for _, mark in marks] != ["begin", "end"]:
        return None
    return float(marks[1][0]) - float(marks[0][0])


def connect(qemu, path, deadline):
    """A port of the guest, or None if QEMU ended. QEMU makes its socket when it starts; a path below a
    build directory may be too long for one, but not one in the temporary directory."""
    while qemu.poll() is None and time.monotonic() < deadline:
        port = socket.socket(socket.AF_UNIX)
        try:
            port.connect(path)
            port.settimeout(0.5)
            return port
        except OSError:
            port.close()
            time.sleep(0.1)
    return None


class Guest:
    """Boots `kernel` with `payloads`; `tell` hears each line that payloads print."""

    def __init__(self, kernel, version, payloads, files, tell=None):
        self._kernel, self._version, self._payloads = kernel, version, payloads
        self._files, self._tell = files, tell or (lambda line: None)
        self._run = Run()
        self._section, self._began, self._deadline = None, 0, 0
        self._partial = b""
        self._wakes, self._woken = False, False

    def run(self):
        """To its end, however that comes. What payloads left in $OUT lies in `files`/PAYLOAD."""
        with tempfile.TemporaryDirectory(prefix="dmremap-guest-") as directory:
            self._prepare(directory)
            with open(os.path.join(directory, "qemu.log"), "wb") as log, subprocess.Popen(
                    self._command(directory), stdin=subprocess.DEVNULL, stdout=log,
                    stderr=log) as qemu:
                try:
                    self._watch(qemu, directory)
                finally:
                    qemu.kill()
            self._conclude(directory, qemu.returncode)
        return self._run

    def shell(self):
        """A shell on the console instead, in the first payload's directory; until it ends."""
        with tempfile.TemporaryDirectory(prefix="dmremap-guest-") as directory:
            self._prepare(directory)
            command = self._command(directory)
            command[command.index("-serial") + 1] = "mon:stdio"
            at = command.index("-append") + 1
            command[at] = command[at].replace("loglevel=7", "loglevel=5") + " guest-shell"
            return subprocess.run(command, check=False).returncode

    def _prepare(self, directory):
        self._pack(os.path.join(directory, "in"))
        with open(os.path.join(directory, "out"), "wb") as out:
            out.truncate(OUT_BYTES)
        for name, size in plan.drives(self._payloads[0]):
            with open(os.path.join(directory, f"drive.{name}"), "wb") as drive:
                drive.truncate(size)
        initrd.write(os.path.join(directory, "initrd"), self._kernel,
                     self._wanted("programs"), self._wanted("modules"), self._wanted("module"),
                     self._wanted("packages"))

    def _wanted(self, need):
        """What any of the payloads asks for."""
        return sorted({path for p in self._payloads for path in p.paths(need, self._version)})

    def _pack(self, path):
        """/job: order, lib.sh, and a directory for each payload."""
        with tarfile.open(path, "w") as archive:
            order = os.path.join(os.path.dirname(path), "order")
            with open(order, "w", encoding="ascii") as file:
                file.write("".join(f"{p.name}\n" for p in self._payloads))
            archive.add(order, "order")
            archive.add(os.path.join(places.HERE, "lib.sh"), "lib.sh")
            for payload in self._payloads:
                archive.add(payload.path, f"{payload.name}/{payload.name}.sh")
                for name in payload.paths("files", self._version):
                    archive.add(name, f"{payload.name}/{os.path.basename(name)}")
        size = os.path.getsize(path)
        os.truncate(path, (size + 4095) & ~4095)

    def _command(self, directory):
        needs = self._payloads[0]
        command = [
            # A test that ctest kills must not leave its guest running.
            "setpriv", "--pdeathsig", "KILL",
            QEMU, "-M", "q35", "-cpu", ICOUNT_CPU if needs.icount else CPU,
            "-accel", "tcg,thread=" + ("single" if needs.icount else "multi"),
            "-smp", str(needs.cpus), "-m", str(needs.memory), "-nodefaults", "-nographic",
            "-no-user-config", "-no-reboot",
            "-kernel", self._kernel.vmlinuz, "-initrd", f"{directory}/initrd",
            "-append", " ".join([command_line(needs.icount), *needs.append]),
            "-serial", f"file:{directory}/console",
            "-device", "virtio-serial-pci",
            "-chardev", f"socket,id=report,path={directory}/report,server=on,wait=off",
            "-device", "virtserialport,chardev=report,name=report",
            "-qmp", f"unix:{directory}/qmp,server=on,wait=off"]
        if needs.icount:
            command += ["-icount", "shift=0,sleep=" + ("off" if needs.idle_leaps else "on")]
        for serial in ("in", "out"):
            command += ["-drive", f"if=none,id={serial},file={directory}/{serial},format=raw,"
                                  f"cache=unsafe", "-device", f"virtio-blk-pci,drive={serial},serial={serial}"]
        for name, _ in plan.drives(needs):
            command += ["-drive", f"if=none,id={name},file={directory}/drive.{name},format=raw,"
                                  f"cache=unsafe,discard=unmap"]
        for device in needs.device:
            command += ["-device", device]
        return command

    # --- while it runs ---

    def _watch(self, qemu, directory):
        self._start = time.monotonic()
        self._qmp = f"{directory}/qmp"
        self._deadline = self._start + plan.BOOT_SECONDS
        port = connect(qemu, f"{directory}/report", self._deadline)
        if port is None:
            return
        dumping = False
        with port:
            while qemu.poll() is None:
                if not self._read(port):
                    self._look_after_sleepers(directory)
                if time.monotonic() < self._deadline:
                    continue
                if dumping or not self._run.came_up:
                    return
                if self._section is not None:
                    self._section.timed_out = True
                dumping = True
                with contextlib.suppress(OSError):
                    port.sendall(b"dump\n")
                self._deadline = time.monotonic() + plan.DUMP_SECONDS
            while self._read(port):  # what it said last
                pass

    def _look_after_sleepers(self, directory):
        """Wakes a guest that has suspended itself. QEMU 7.2 does not end by itself when one that was woken
        turns itself off."""
        if self._wakes:
            self._woken |= wake(self._qmp)
        elif self._woken and "reboot: Power down" in _text(f"{directory}/console"):
            with contextlib.suppress(OSError, ValueError), asking(self._qmp) as ask:
                ask("quit")

    def _read(self, port):
        try:
            data = port.recv(1 << 16)
        except TimeoutError:
            return False
        except OSError:
            data = b""
        if not data:
            time.sleep(0.2)  # it has closed the port and is about to end
            return False
        *lines, self._partial = (self._partial + data).split(b"\n")
        for line in lines:
            self._take(line.decode(errors="replace").rstrip("\r"))
        return True

    def _take(self, line):
        words = line.split()
        if words[:1] == ["@guest"]:
            self._happened(words[1:])
        elif self._section is not None:
            self._section.take(line)
            self._tell(line)

    def _happened(self, words):
        now = time.monotonic()
        if words == ["up"]:
            self._run.came_up = True
            self._run.up_seconds = now - self._start
            self._deadline = now + plan.BOOT_SECONDS
        elif words[0] == "begin":
            self._section = Section(words[1])
            self._run.sections.append(self._section)
            self._began = now
            timeout = next(p.timeout for p in self._payloads if p.name == words[1])
            self._deadline = now + timeout
        elif words[0] in ("hang", "answer"):
            hold_back(self._qmp, words[1], words[0] == "hang")
        elif words[0] == "wake":
            self._wakes = True
        elif words[0] == "end" and self._section is not None:
            self._section.status = words[2]
            self._section.seconds = now - self._began
            self._section, self._wakes = None, False
            self._deadline = now + plan.BOOT_SECONDS

    # --- when it has ended ---

    def _conclude(self, directory, status):
        if self._section is not None:
            self._section.seconds = time.monotonic() - self._began
            self._section.take(self._partial.decode(errors="replace"))
        console = _text(f"{directory}/console")
        self._run.console = console
        parts = split_console(console)
        for section in self._run.sections:
            section.console = parts.get(section.name, "")
            if not self._payloads[0].icount:
                section.own_seconds = own_seconds(section.console)
        complaint = first_complaint(parts[None])
        if complaint and self._run.sections:
            # While it booted: the first one is called failed for it, so that it is seen.
            self._run.sections[0].console = parts[None] + "\n" + self._run.sections[0].console
        if not self._run.came_up:
            self._run.trouble = "it did not come up"
        elif not self._run.sections:
            self._run.trouble = "it came up, but began no payload"
        if complaint:
            self._run.trouble += f" ({complaint})"
        if status not in (0, -9):
            self._run.trouble += f"\nQEMU: exit {status}: {_text(f'{directory}/qemu.log').strip()}"
        for section in self._run.sections:
            os.makedirs(os.path.join(self._files, section.name), exist_ok=True)
        with contextlib.suppress(tarfile.TarError, OSError), \
                tarfile.open(f"{directory}/out", "r:") as archive:
            archive.extractall(self._files)


def hold_back(path, drive, held):
    """Has QEMU answer a drive's requests at a byte a second, or at once again. Only requests that come
    from then on are held back, and all that are go on when they are answered again."""
    limits = {limit: 0 for limit in ("bps", "bps_rd", "bps_wr", "iops", "iops_rd", "iops_wr")}
    limits["bps"] = 1 if held else 0
    with asking(path) as ask:
        ask("block_set_io_throttle", device=drive, **limits)


def wake(path):
    """Wakes a guest that has suspended itself to memory; False, and nothing is done, if it is awake."""
    with asking(path) as ask:
        asleep = ask("query-status")["status"] == "suspended"
        if asleep:
            ask("system_wakeup")
        return asleep


@contextlib.contextmanager
def asking(path):
    """A function that has QEMU do one command after the other, at the socket `path`, and returns what it
    answers."""
    with socket.socket(socket.AF_UNIX) as qmp:
        qmp.connect(path)
        with qmp.makefile("rw", encoding="utf-8") as lines:
            def ask(command, **arguments):
                lines.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
                lines.flush()
                reply = json.loads(lines.readline())
                while "event" in reply:
                    reply = json.loads(lines.readline())
                if "error" in reply:
                    raise RuntimeError(f"QEMU: {command}: {reply['error']}")
                return reply["return"]

            json.loads(lines.readline())  # what QEMU is
            ask("qmp_capabilities")
            yield ask


def _text(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
    except OSError:
        return ""
    return re.sub(r"\x1b(\[[0-9;?]*[A-Za-z]|c)", "", text).replace("\r", "")
