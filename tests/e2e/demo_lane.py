# SPDX-License-Identifier: GPL-2.0-or-later
"""The demo as a program under test, and what it must not leave behind."""

import os
import subprocess
import sys

import product
import support

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../demo/demo.py")


def start(t, **environment):
    """The quick demo, its images and runtime files in the test's directory; the leader of a process
    group, as what a shell runs is."""
    process = subprocess.Popen(
        [sys.executable, DEMO, "--quick", "--dir", t.dir], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, env={**os.environ, **environment},
        start_new_session=True)
    t.cleanup.push(_end, process)
    return process


def _end(process):
    if process.poll() is None:
        process.terminate()  # it cleans up after itself; killed, it could not
        process.wait(timeout=300)


def check_nothing_left(t):
    support.equal(support.mounts_below(t.dir), [], "mounts left")
    support.equal(product.loops_over(t.dir), [], "loop devices left")
    support.equal([name for name in os.listdir(t.dir) if name.startswith("dmremap-demo")], [],
                  "directories left")
    support.equal(_processes_using(t.dir), [], "processes left")


def _processes_using(directory):
    """Processes whose command line or environment names the directory, but for this one."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        if int(pid) == os.getpid():
            continue
        for name in ("cmdline", "environ"):
            try:
                with open(f"/proc/{pid}/{name}", "rb") as file:
                    if f"{directory}/dmremap-demo".encode() in file.read():
                        found.append(pid)
                        break
            except OSError:
                pass  # it has just ended
    return found
