#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a start in an initramfs of initramfs-tools says is on the console while it waits, is kept for the
shell, and is over when the start is, though a process that a disk holds stays behind."""

import os
import signal
import subprocess

import support
from support import check, equal
from text_files import read, write

# The start waits for `seen`, and leaves a process that has its output open.
START = """#!/bin/sh
echo "$*" > {0}/asked
echo "dmremap: warning: waiting for main" >&2
while ! [ -e {0}/seen ]; do sleep 0.05; done
sleep 3600 &
echo $! > {0}/stays
echo /dev/ublkb0
[ {1} = 0 ] || echo "dmremap: not served, for main is missing" >&2
exit {1}
"""


def start(t, number, status):
    where = t.path(str(number))
    os.makedirs(where)
    write(f"{where}/dmremap", START.format(where, status), 0o755)
    write(f"{where}/udevadm", "#!/bin/sh\n", 0o755)
    functions = read(os.path.join(support.ROOT, "packaging/initramfs-tools/functions.in"))
    write(f"{where}/functions", functions.replace("@SBINDIR@", where).replace("/run/", f"{where}/"))
    with subprocess.Popen(["sh", "-c", f". {where}/functions; dm_remap_start data"], text=True,
                          stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, start_new_session=True,
                          env={**os.environ, "PATH": f"{where}:/usr/bin:/bin"}) as shell:
        try:
            equal(shell.stdout.readline(), "dmremap: warning: waiting for main\n", "while it waits")
            write(f"{where}/seen", "")
            # Not to the end of the pipe: what stays behind has it open.
            equal(shell.wait(timeout=200), 0, "the script goes on")
            os.kill(int(read(f"{where}/stays")), signal.SIGKILL)
            rest = shell.stdout.read()
        finally:
            if shell.poll() is None:
                os.killpg(shell.pid, signal.SIGKILL)
    equal(read(f"{where}/asked"), "start data --at-boot --export ublk\n", "what is started")
    return rest, read(f"{where}/dm-remap-data.said")


def initramfs(t):
    said, kept = start(t, 1, 0)
    check(said.startswith("dm-remap: the set data is served as "), f"served: {said!r}")
    equal(kept, "dmremap: warning: waiting for main\n/dev/ublkb0\n", "kept")
    said, kept = start(t, 2, 3)
    equal(said, "dmremap: not served, for main is missing\ndm-remap: the set data is not served\n", "failed")
    check(kept.endswith("dmremap: not served, for main is missing\n"), f"kept: {kept!r}")


support.run_test(initramfs)
