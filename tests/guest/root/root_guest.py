# SPDX-License-Identifier: GPL-2.0-or-later
"""One boot of a system whose root file system lies on a set, under QEMU as tests/guest/machine.py has
it. The guest tells over the port `report`, a word and what belongs to it in a line."""

import os
import signal
import subprocess
import tempfile
import time
from dataclasses import dataclass

import machine
import root_image

# On a machine with other work; an idle one takes a tenth of it.
BOOT_SECONDS = 900
MEMORY = 1024


@dataclass(frozen=True)
class Disk:
    """A drive of the guest, of the serial number NAME1; disks have their names in the guest in the order
    in which they are given."""

    name: str
    is_there: bool = True  # from the beginning; else it may be plugged in


DISKS = (Disk("main"), Disk("spare"))


class Running:
    """A guest that runs, for whoever has something done to it meanwhile."""

    def __init__(self, boot, directory):
        self.boot = boot
        self._directory = directory
        self._qmp = f"{directory}/qmp"

    def console(self):
        """What stands there by now."""
        with open(f"{self._directory}/console", encoding="utf-8", errors="replace") as file:
            return file.read()

    def plug_in(self, name):
        with machine.asking(self._qmp) as ask:
            ask("device_add", driver="virtio-blk-pci", drive=name, serial=f"{name.upper()}1",
                bus=f"port.{name}")

    def hold_back(self, name, held):
        machine.hold_back(self._qmp, name, held)


class Boot:
    """What the guest told, and how it ended."""

    def __init__(self):
        self.told = []
        self.console = ""
        self.ended = False       # by itself, turned off
        self.acknowledged = 0    # the last record that was, as far as the host has heard
        self.seconds = 0

    def words(self, first):
        return [line.split()[1:] for line in self.told if line.split()[:1] == [first]]

    def value(self, first):
        found = self.words(first)
        return found[-1][0] if found and found[-1] else None

    def failure(self):
        failed = [line for line in self.told if line.startswith("FAILED")]
        if failed:
            return "\n".join(self.told[self.told.index(failed[0]):])
        return machine.first_complaint(self.console)


def _command(directory, kernel, initramfs, append, root, disks):
    command = [
        "setpriv", "--pdeathsig", "KILL", machine.QEMU, "-M", "q35", "-cpu", machine.CPU,
        "-accel", "tcg,thread=multi", "-smp", "2", "-m", str(MEMORY), "-nodefaults", "-nographic",
        "-no-user-config", "-no-reboot", "-kernel", kernel.vmlinuz, "-initrd", initramfs,
        "-append", f"{machine.command_line()} root={root} ro panic=5 systemd.show_status=1 "
                   f"systemd.service_watchdogs=0 udev.event_timeout=3600 {append}",
        "-serial", f"file:{directory}/console", "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=report,path={directory}/report,server=on,wait=off",
        "-device", "virtserialport,chardev=report,name=report",
        "-qmp", f"unix:{directory}/qmp,server=on,wait=off"]
    for number, disk in enumerate(disks):
        command += ["-drive", f"if=none,id={disk.name},file={root_image.drive(disk.name)},format=raw,"
                              "cache=writeback",
                    "-device", f"pcie-root-port,id=port.{disk.name},chassis={number + 1}"]
        if disk.is_there:
            command += ["-device", f"virtio-blk-pci,drive={disk.name},serial={disk.name.upper()}1,"
                                   f"bus=port.{disk.name}"]
    return command


def run(kernel, initramfs, append, cut_after=None, cut_on="cut", seconds=BOOT_SECONDS,
        root=f"UUID={root_image.UUID}", disks=DISKS, meanwhile=lambda running: False, tell=print):
    """Boots, and returns when the guest is off. `cut_after`: so many seconds after it said `cut_on`, its
    power is cut; or when `meanwhile`, which is called with a Running all the time, says so."""
    boot, partial, cut_at = Boot(), b"", None
    with tempfile.TemporaryDirectory(prefix="dmremap-root-") as directory:
        start = time.monotonic()
        deadline = start + seconds
        with open(os.path.join(directory, "qemu.log"), "wb") as log, subprocess.Popen(
                _command(directory, kernel, initramfs, append, root, disks), stdin=subprocess.DEVNULL,
                stdout=log, stderr=log) as qemu:
            try:
                port = machine.connect(qemu, f"{directory}/report", deadline)
                running = Running(boot, directory)
                while port is not None and time.monotonic() < deadline:
                    try:
                        data = port.recv(1 << 16)
                    except TimeoutError:
                        data = None
                    except OSError:
                        data = b""
                    if data == b"" and qemu.poll() is not None:
                        break
                    if data == b"":
                        time.sleep(0.2)
                    *lines, partial = (partial + (data or b"")).split(b"\n")
                    for line in lines:
                        _take(boot, line.decode(errors="replace").strip(), tell)
                    if cut_after is not None and cut_at is None and boot.words(cut_on):
                        cut_at = time.monotonic() + cut_after
                    if qemu.poll() is None and meanwhile(running):
                        cut_at = time.monotonic()
                    if cut_at is not None and time.monotonic() >= cut_at:
                        qemu.send_signal(signal.SIGKILL)
                        break
                if qemu.poll() is None and cut_at is None and time.monotonic() < deadline:
                    qemu.wait(max(1, deadline - time.monotonic()))
                boot.ended = qemu.poll() == 0
                if port is not None:
                    port.close()
            except subprocess.TimeoutExpired:
                pass
            finally:
                qemu.kill()
        boot.seconds = time.monotonic() - start
        with open(f"{directory}/console", encoding="utf-8", errors="replace") as file:
            boot.console = file.read().replace("\r", "")
        with open(os.path.join(root_image.WHERE, "console"), "w", encoding="utf-8") as file:
            file.write(boot.console)
    return boot


def _take(boot, line, tell):
    if line.startswith("ack "):
        boot.acknowledged = int(line.split()[1])
    elif line:
        boot.told.append(line)
        tell(f"  {line}")
