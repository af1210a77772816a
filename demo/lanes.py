# SPDX-License-Identifier: GPL-2.0-or-later
"""The two lanes: the same image, served by a lab of its own, used bare and through dm-remap."""

import os
import time

import product
import support
from compare import compare
from interrupts import deferred
from workload import Workload


class Lane:
    """From the image to what is left of it. The subclasses say how the failing disk becomes a
    block device, and how it is taken down and brought back."""

    title = ""

    def __init__(self, t, disk, plan, console):
        self.t, self.disk, self.plan, self.console = t, disk, plan, console
        self.read_only_since = None  # the step in which the file system became read-only
        self.fsck_clean = None
        self.comparison = None
        self.fio_damaged = None
        self.work = None

    def run(self):
        image = self.t.path(f"{self.key}.img")
        support.run("cp", "--reflink=auto", "--sparse=always", self.disk.image, image)
        with deferred():
            self.lab = self.t.lab(image)
            self.mount = self.t.mount(self.up(), f"{self.key}-mnt")
        self.work = Workload(self.mount, self.disk, self.plan, self.console)
        self._use()
        self._take_down_and_look()
        return self

    def _use(self):
        work, plan = self.work, self.plan
        steps = [
            ("three files lose a sector each", plan.used,
             [work.read_everything, work.rewrite_in_place]),
            (f"{len(plan.free)} places in free space go bad", plan.free,
             [lambda: work.copy(work.to_copy, "copies"), work.delete, work.unpack]),
            ("200 neighbours and then one sector after another, under fio", [],
             [lambda: work.fio_while(self._scratch)]),
            (f"{len(plan.journal)} blocks of the file system's journal go bad", plan.journal,
             [lambda: work.copy(work.to_copy_last, "late")]),
        ]
        for what, faults, actions in steps:
            self.console.fault(what)
            for kind, where in faults:
                self.lab.fault(kind, where)
            for action in actions:
                action()
                self._note_read_only(what)

    def _scratch(self):
        """The burst, then one bad sector after another, while fio writes."""
        time.sleep(0.5)
        for kind, where in self.plan.burst + self.plan.under_fio:
            self.lab.fault(kind, where)
            time.sleep(0.2)

    def _note_read_only(self, step):
        # Since Linux 6.15 the mount flags do not tell, only the refusals do.
        read_only = self.work.outcome.refused_read_only > 0 or _is_read_only(self.mount)
        if self.read_only_since is None and read_only:
            self.read_only_since = step
            self.console.line("the kernel has remounted the file system read-only")

    def _take_down_and_look(self):
        with self.console.step("unmounting, starting again from the devices alone"):
            support.unmount(self.mount)
            with deferred():
                device = self.again()
        with self.console.step("e2fsck -f -n"):
            self.fsck_clean = support.run("e2fsck", "-f", "-n", device, expect=None,
                                          timeout=120).exit == 0
        expected = self.work.outcome.expected
        with self.console.step(f"comparing {len(expected)} files by SHA-256"):
            if self._mount_read_only(device):
                self.comparison = compare(self.mount, expected)
                self.fio_damaged = self.work.fio_again()
                support.unmount(self.mount)
            else:
                self.comparison = compare(None, expected)
        self.down()

    def _mount_read_only(self, device):
        """A journal that cannot be replayed must not keep us from looking at the files."""
        for options in ("ro", "ro,noload"):
            if support.run("mount", "-o", options, device, self.mount, expect=None).exit == 0:
                return True
        return False


class Bare(Lane):
    """A loop device on the failing disk: what everybody has today."""

    title, key = "bare disk", "bare"

    def up(self):
        self.device = self.t.loop(self.lab.path)
        return self.device

    def again(self):
        self.down()
        return self.up()

    def down(self):
        support.detach_loop(self.device)


class Remapped(Lane):
    """The same through dm-remap."""

    title, key = "dm-remap", "dm-remap"
    status = None

    def up(self):
        self.set = product.Product(self.t, self.lab.path, self.t.path("spare"),
                                   name=f"demo-{os.getpid()}")
        self.console.command(f"dmremap create {self.set.name} DISK SPARE --spare-size 64MiB")
        self.console.said(self.set.create("--spare-size", "64MiB").out)
        self.console.command(f"dmremap start {self.set.name} --export block")
        device = self.set.start("block")
        self.console.said(device)
        self.follower = product.Follower(self.set.name, self.console.event)
        self.t.cleanup.push(self.follower.close)
        return device

    def again(self):
        self.status = self.set.status()
        self.set.stop()
        self.follower.close()
        self.console.command("dmremap start SPARE DISK --export block")
        device = self.set.start("block", by_devices=True)
        self.console.said(device)
        # Now: what is read from here on may meet faults that nothing met before.
        self.status_after = self.set.status()
        return device

    def down(self):
        self.set.stop()


def _is_read_only(mount):
    return bool(os.statvfs(mount).f_flag & os.ST_RDONLY)
