# SPDX-License-Identifier: GPL-2.0-or-later
"""A minimal Debian (minimal_root.py) whose first process is the real systemd: in namespaces of processes,
mounts and control groups of its own, over the machine's kernel. Without udev, as /sys is not its own."""

import os
import signal
import subprocess

import minimal_root
import support

# What would ask the network, or waits for a console that is not there.
MASKED = ("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "console-getty.service",
          "getty.target", "systemd-udevd.service", "systemd-udev-trigger.service", "systemd-journald-audit.socket",
          "systemd-networkd.service", "systemd-resolved.service", "systemd-timesyncd.service")
# Run in the root's own namespaces. What it makes of control groups is below the directory that it gets.
FIRST = """set -e
echo $$ > "$1/cgroup.procs"
exec unshare --mount --uts --pid --cgroup --fork --kill-child --root="$2" sh -c '
mount --make-rshared /  # as systemd has it, but for containers
mount -t proc proc /proc
mount --bind /sys /sys
mount -o remount,bind,ro /sys
mount -t cgroup2 cgroup2 /sys/fs/cgroup
exec env -i container=minimal-root PATH=/usr/sbin:/usr/bin:/sbin:/bin \\
  /lib/systemd/systemd --system --log-target=console --show-status=no'
"""


class BootedRoot(minimal_root.Root):
    """Programs run beside that systemd once boot() has returned, in a chroot before."""

    _systemd = None

    def boot(self, t):
        for unit in MASKED:
            link = self.file("etc/systemd/system", unit)
            if not os.path.lexists(link):
                os.symlink("/dev/null", link)
        self.write("etc/machine-id", "0123456789abcdef0123456789abcdef\n")
        group = self._control_group(t)
        with open(self.file("var/log/systemd"), "wb") as log:
            first = subprocess.Popen(["sh", "-c", FIRST, "sh", group, self.path], stdin=subprocess.DEVNULL,
                                     stdout=log, stderr=log)
        t.cleanup.push(self._end, first)
        self._systemd = support.wait_until(lambda: self._child_of(first), "the first process")
        support.wait_until(lambda: self.run("systemctl", "is-active", "multi-user.target", expect=None).exit == 0,
                           "systemd is up", seconds=600, every=0.5)

    @staticmethod
    def _control_group(t):
        """A directory in the hierarchy that all kernels have, wherever this machine has mounted it."""
        hierarchy = t.path("cgroups")
        os.makedirs(hierarchy)
        support.run("mount", "-t", "cgroup2", "cgroup2", hierarchy)
        t.cleanup.push(support.run, "umount", "--lazy", hierarchy, expect=None)
        group = os.path.join(hierarchy, f"dm-remap-{os.getpid()}")
        os.makedirs(group)
        t.cleanup.push(support.run, "find", group, "-depth", "-type", "d", "-delete", expect=None)
        return group

    @staticmethod
    def _child_of(process):
        support.check(process.poll() is None, "systemd has ended")
        with open(f"/proc/{process.pid}/task/{process.pid}/children", encoding="ascii") as file:
            children = file.read().split()
        # It is systemd once the shell has become it.
        if not children or not os.readlink(f"/proc/{children[0]}/exe").endswith("/systemd"):
            return None
        return children[0]

    def _end(self, first):
        """All that runs in there ends with its first process."""
        if self._systemd is not None:
            os.kill(int(self._systemd), signal.SIGKILL)
        self._systemd = None
        first.wait()
        with open(self.file("var/log/systemd"), encoding="utf-8", errors="replace") as log:
            print("".join(line for line in log if "remap" in line), flush=True)

    def run(self, *command, **options):
        if self._systemd is None:
            return super().run(*command, **options)
        options.setdefault("timeout", 3600)
        return support.run("nsenter", f"--target={self._systemd}", "--mount", "--uts", "--pid", "--cgroup",
                           "--root", "--wd=/", *command, env=self.environment(), **options)

    def unit(self, name, *properties):
        """A unit's properties, by name."""
        wanted = [word for one in properties for word in ("-p", one)]
        said = self.run("systemctl", "show", *wanted, name).out
        return dict(line.split("=", 1) for line in said.splitlines())
