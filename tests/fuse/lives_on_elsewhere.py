# SPDX-License-Identifier: GPL-2.0-or-later
"""A copy of the mount in another mount namespace does not hang a stop; a user in there is seen."""

import subprocess

import support
from ram_disk import RamDisk
from support import check, equal


def in_namespace(t, script, *args):
    """A shell in a mount namespace of its own; it has a copy of our mounts when this returns."""
    shell = subprocess.Popen(["unshare", "--mount", "--propagation", "private", "sh", "-c",
                              script, "sh", *args],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    t.cleanup.push(shell.kill)
    equal(shell.stdout.readline().strip(), "ready", "the other namespace")
    return shell


def lives_on_elsewhere(t):
    disk = RamDisk(t, size="16MiB", loop=False)
    shell = in_namespace(t, 'echo ready; read line')
    disk.stop()
    shell.communicate("\n")

    disk = RamDisk(t, size="16MiB", name="other", loop=False)
    shell = in_namespace(t, 'exec 3<"$1"; echo ready; read line', disk.path)
    error = disk.order("stop").get("error") or {}
    equal(error.get("code"), "device-in-use", "a stop while another namespace has it open")
    check(str(shell.pid) in error["what"], f"does not name the process: {error}")
    check(support.is_mounted(disk.path), "no longer mounted after a refusal")
    shell.communicate("\n")
    disk.stop()


support.run_test(lives_on_elsewhere, root=True, fuse=True, programs=["unshare"])
