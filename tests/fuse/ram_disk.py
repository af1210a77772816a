# SPDX-License-Identifier: GPL-2.0-or-later
"""Drives ram_server: memory as a disk, through the FUSE front end and a loop device."""

import json
import os
import subprocess

import support
from support import CheckFailed, check

RAM_SERVER = os.environ.get("RAM_SERVER", os.path.join(os.path.dirname(support.DMREMAP),
                                                       "ram_server"))


class RamDisk:
    """A running ram_server. `path` is the FUSE file, `node` the loop device if there is one."""

    def __init__(self, t, size="64MiB", name="disk", loop=True, mountfile=None, link=None,
                 block=512, read_only=False, threads=16, prefix=()):
        self.size = support.parse_size(size)
        mountfile = mountfile or t.path(name)
        args = [*prefix, RAM_SERVER, mountfile, self.size, "--block", block, "--threads", threads]
        args += ["--loop"] if loop else []
        args += ["--link", link] if link else []
        args += ["--read-only"] if read_only else []
        self.server = subprocess.Popen([str(a) for a in args], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.path, self.node = mountfile, None
        t.cleanup.push(self.end)
        self.greeting = self._answer()
        self.error = self.greeting.get("error")  # why it did not start, if it did not
        self.path = self.greeting.get("path", mountfile)
        self.node = self.greeting.get("node")
        self.stable = self.greeting.get("stable")

    def _answer(self):
        line = self.server.stdout.readline()
        check(line, f"ram_server ended with {self.server.poll()}")
        return json.loads(line)

    def order(self, *words):
        self.server.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.server.stdin.flush()
        return self._answer()

    def must(self, *words):
        answer = self.order(*words)
        check("error" not in answer, f"{words}: {answer.get('error')}")
        return answer

    def counts(self):
        return self.must("counts")

    def bytes(self, t):
        """What the memory holds, past all that lies between."""
        path = t.path("saved")
        self.must("save", path)
        with open(path, "rb") as file:
            return file.read()

    def stop(self):
        self.must("detach")
        self.must("stop")
        check(self.server.wait(timeout=300) == 0, "ram_server did not end well")

    def kill(self):
        self.server.kill()
        self.server.wait()

    def end(self):
        """For cleanup, whatever state it is in."""
        if self.server.poll() is None:
            try:
                self.order("detach")
                self.order("stop")
            except (CheckFailed, OSError):
                pass
            self.server.stdin.close()
            try:
                self.server.wait(timeout=300)
            except subprocess.TimeoutExpired:
                self.server.kill()
                self.server.wait()
        if self.node and support.loop_backing(self.node) == self.path:
            support.run("losetup", "--detach", self.node, expect=None)
        if support.is_mounted(self.path):
            support.run("umount", "--lazy", self.path)
