# SPDX-License-Identifier: GPL-2.0-or-later
"""A memory cgroup with a limit and without swap, of whichever version the machine has.

    group = MemoryGroup(t, 128 * MIB)
    with group:                       # what is started here is, and stays, in it
        device = dm.start("block")
    group.lift()                      # no limit any more: whoever waits for memory goes on
"""

import contextlib
import os

import support
from support import check


def what_is_missing():
    return None if _hierarchy() else "needs a memory cgroup: mount the memory controller writable"


def _read(*parts):
    with open(os.path.join(*parts), encoding="utf-8") as file:
        return file.read()


def _write(value, *parts):
    with open(os.path.join(*parts), "w", encoding="utf-8") as file:
        file.write(str(value))


def _hierarchy():
    """(version, directory in which groups can be made), or None."""
    for line in _read("/proc/self/mountinfo").splitlines():
        before, _, after = line.partition(" - ")
        point, (kind, _, options) = before.split()[4], after.split()[:3]
        if kind == "cgroup" and "memory" in options.split(",") and os.access(point, os.W_OK):
            return 1, point
        if kind == "cgroup2" and _offers_memory(point):
            return 2, point
    return None


def _offers_memory(point):
    try:
        if "memory" not in _read(point, "cgroup.controllers").split():
            return False
        # Refused where processes live beside the groups, other than at the real root.
        _write("+memory", point, "cgroup.subtree_control")
        return True
    except OSError:
        return False


def _numbers(text):
    return {key: int(value) for key, value in (line.split() for line in text.splitlines())}


class MemoryGroup:
    def __init__(self, t, limit):
        self.version, self._parent = _hierarchy()
        self.path = os.path.join(self._parent, f"dmremap-{os.getpid()}")
        os.mkdir(self.path)
        t.cleanup.push(self._remove)
        if self.version == 2:
            self._set("memory.max", limit)
            self._set("memory.swap.max", 0, may_lack=True)
        else:
            self._set("memory.limit_in_bytes", limit)
            self._set("memory.memsw.limit_in_bytes", limit, may_lack=True)
            self._set("memory.swappiness", 0, may_lack=True)
        self._home = self._group_of_this_process()

    def __enter__(self):
        _write(os.getpid(), self.path, "cgroup.procs")
        return self

    def __exit__(self, *_):
        _write(os.getpid(), self._home, "cgroup.procs")

    def lift(self):
        if self.version == 2:
            self._set("memory.max", "max")
        else:
            self._set("memory.memsw.limit_in_bytes", -1, may_lack=True)
            self._set("memory.limit_in_bytes", -1)

    def facts(self):
        """The most `bytes` it had, and how many of its processes were `killed` for want of more.
        (How often it met its limit is not told by every kernel.)"""
        if self.version == 2:
            # memory.peak: Linux 5.19.
            peak = self._number("memory.peak") or self._number("memory.current")
            killed = _numbers(_read(self.path, "memory.events"))["oom_kill"]
        else:
            peak = self._number("memory.max_usage_in_bytes")
            killed = _numbers(_read(self.path, "memory.oom_control")).get("oom_kill", 0)
        return {"bytes": peak, "killed": killed}

    def processes(self):
        return [int(pid) for pid in _read(self.path, "cgroup.procs").split()]

    def _number(self, name):
        try:
            return int(_read(self.path, name))
        except OSError:
            return None

    def _set(self, name, value, may_lack=False):
        if may_lack and not os.path.exists(os.path.join(self.path, name)):
            return
        _write(value, self.path, name)

    def _group_of_this_process(self):
        for line in _read("/proc/self/cgroup").splitlines():
            _, controllers, path = line.split(":", 2)
            if (self.version == 2) == (controllers == "") and \
                    (self.version == 2 or "memory" in controllers.split(",")):
                home = os.path.join(self._parent, path.lstrip("/"))
                # Where only a part of the tree can be seen, its root stands for the rest.
                return home if os.path.isdir(home) else self._parent
        check(False, "this process is in no memory cgroup")

    def _remove(self):
        # Whatever was started in it has ended, or is about to.
        with contextlib.suppress(OSError):
            self.lift()
        support.wait_until(self._try_rmdir, f"{self.path} removed")

    def _try_rmdir(self):
        try:
            os.rmdir(self.path)
            return True
        except OSError:
            return False
