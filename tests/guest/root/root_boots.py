# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots of a root file system on a set, with the initramfs of either maker, whose disks come in any order,
late, not at all, or hang, with a clone of main beside them: what is drawn for one, what is done to the
guest meanwhile, and what must hold afterwards."""

import re
import time
from dataclasses import dataclass

import root_guest
import root_image
from support import check, equal

MAKERS = ("initramfs-tools", "dracut")
# Of the set, as `dmremap create` has it by itself.
WAIT_SECONDS = 30
# For a machine with other work; the wait is announced up to so many seconds after it began.
ALLOWANCE_SECONDS, ANNOUNCED_WITHIN_SECONDS = 60, 10
# A boot that has failed is looked at for so long: it may still mount what it must not.
AFTERWARDS_SECONDS = 40

# What comes when: `there` before the boot, `awaited` so many seconds after the wait for it was announced,
# `late` when the set's deadline has passed, or `never`.
SITUATIONS = (("there", "there"), ("there", "awaited"), ("awaited", "there"), ("awaited", "awaited"),
              ("late", "there"), ("there", "late"), ("never", "there"), ("hangs", "there"))
IN_TIME = ("there", "awaited")


@dataclass
class Plan:
    """What is drawn for a boot: when main and the spare come, and the rest."""

    maker: str
    main: str
    spare: str
    after: tuple    # seconds, of main and the spare if they are awaited
    clone: bool
    order: tuple    # of the disks that are there from the beginning, and so their names
    root: str       # how the kernel's command line names it

    def __str__(self):
        return (f"{self.maker}: main {self.main}, spare {self.spare}, after {self.after}; "
                f"{'a clone; ' if self.clone else ''}{' '.join(self.order)}; {self.root}")

    def disks(self):
        here = {"main": self.main in ("there", "hangs"), "spare": self.spare == "there", "clone": True}
        return [root_guest.Disk(name, here[name]) for name in self.order if name != "clone" or self.clone]

    def is_in_time(self):
        return self.main in IN_TIME and self.spare in IN_TIME

    def must_come_up(self):
        """With dracut a root that has failed is not tried again; initramfs-tools waits for it for longer
        than the set does."""
        return self.is_in_time() or (self.maker == "initramfs-tools" and self.main != "never")


def draw(random, number):
    """Both makers and all situations in turn, each of these once in sixteen boots; the rest by chance."""
    first = number // len(SITUATIONS) + number
    main, spare = SITUATIONS[number % len(SITUATIONS)]
    order = ["main", "spare", "clone"]
    random.shuffle(order)
    after = (random.randint(0, 15), random.randint(0, 15))
    has_clone = random.random() < 0.7
    root = random.choice((f"UUID={root_image.UUID}", "/dev/dm-remap/root"))
    return Plan(MAKERS[first % 2], main, spare, after, has_clone, tuple(order), root)


class Meanwhile:
    """Does to a guest what the plan says, and notes when the console says what."""

    def __init__(self, plan):
        self._plan = plan
        self._done = set()
        self.began = self.announced = self.failed = None

    def __call__(self, running):
        now = time.monotonic()
        console = running.console()
        # When its driver has found it: a disk that hangs before holds up the driver, which is that of all
        # of them, and so udev's events of the others, which come before anybody can wait for anything.
        main = "vd" + "abc"[[disk.name for disk in self._plan.disks()].index("main")]
        if self._plan.main == "hangs" and f"[{main}]" in console and self._once("hangs"):
            running.hold_back("main", True)
        if self.began is None and re.search(r"Run /init as init process", console):
            self.began = now
        if self.announced is None and "waiting for up to" in console:
            self.announced = now
        if self.failed is None and "not served" in console:
            self.failed = now
        self._bring(running, now)
        return (self.failed is not None and not self._plan.must_come_up()
                and running.boot.value("root") is None and now > self.failed + AFTERWARDS_SECONDS)

    def _once(self, what):
        is_first = what not in self._done
        self._done.add(what)
        return is_first

    def _bring(self, running, now):
        plan = self._plan
        # Where none of them is there nobody waits for the other one yet.
        first = self.began if plan.main == plan.spare == "awaited" else self.announced
        for name, comes, after, since in (("main", plan.main, plan.after[0], first),
                                          ("spare", plan.spare, plan.after[1], self.announced)):
            is_due = since is not None and now >= since + after
            if comes == "awaited" and is_due and self._once(name):
                running.plug_in(name)
            if comes == "late" and self.failed is not None and self._once(name):
                running.plug_in(name)
        if plan.main == "hangs" and self.failed is not None and self._once("answers"):
            running.hold_back("main", False)


def judge(plan, boot, seen, boots_before):
    """Raises CheckFailed; returns whether it came up."""
    root = boot.value("root")
    check(root is None or root.startswith("/dev/ublkb"), f"the root is bare {root}")
    check(not boot.failure(), boot.failure())
    if plan.is_in_time():
        check(root is not None, "its devices were there, and its root was not mounted")
    else:
        check(seen.failed is not None, "a device is missing, and nobody says so")
        check(seen.announced is not None, "the console does not say that it waits")
        took = seen.failed - seen.announced
        check(took < WAIT_SECONDS + ALLOWANCE_SECONDS, f"that is said after {took:.0f} s")
        check(took > WAIT_SECONDS - ANNOUNCED_WITHIN_SECONDS, f"that is said after {took:.0f} s already")
    if root is None:
        check(not plan.must_come_up(), "the device came, and the root was not mounted")
        return False
    equal(int(boot.value("boots")), boots_before, "what was written by the boots before is there")
    check(bool(boot.words("finished")) and boot.ended, "it does not turn itself off")
    return True
