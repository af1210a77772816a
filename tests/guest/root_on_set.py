#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The root file system on a set: adopted in place by the system that runs from it, and from the next
boot on served from an initramfs that Debian's own maker has made, named by its UUID, which main has too.

    root_on_set.py short      ten replacements of its process under load and a clean shutdown, a power cut
                              under load, and a boot after that
    root_on_set.py all        boots with a clean shutdown and power cuts under load in turn; both makers
    root_on_set.py boots      boots whose disks come in any order, late, not at all, or hang, with a clone of
                              main beside them; both makers in turn
    root_on_set.py canary     without the mark of a process that must survive a shutdown, none is clean
    root_on_set.py wall       a process that reads the root before it serves finds nothing, and goes on; if it
                              could reach it, the machine would hang

ROOT_BOOTS (30) is the number of shutdowns and of power cuts of `all`, for each maker a half; MAKER
(initramfs-tools) that of the others: or dracut. GUEST_BOOTS (16) is the number of boots of `boots`, and
GUEST_SEED repeats one."""

import argparse
import os
import random
import shutil
import sys
import time

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.dirname(HERE), HERE, os.path.join(HERE, "root")]

import kernels
import places
import results
import root_boots
import root_guest
import root_image
import support


MAKER = os.environ.get("MAKER", "initramfs-tools")
# A hand-over takes a tenth of that on a machine with other work.
HANGS_AFTER_SECONDS = 300


class NotClean(root_image.Failed):
    """What e2fsck says of it."""


def check_offline(mount):
    """The file system as the set has it, read without the guest: clean, and only so."""
    runtime = os.path.join(root_image.WHERE, "runtime")
    shutil.rmtree(runtime, ignore_errors=True)
    environment = {**os.environ, "DMREMAP_RUNTIME_DIR": runtime}
    dmremap = os.path.join(places.BUILD, "bin/dmremap")
    main, spare = root_image.drive("main"), root_image.drive("spare")
    root_image.run(dmremap, "start", spare, main, "--read-only", "--export", "fuse", "--mount", mount,
                   "--accept-main", main, env=environment)
    try:
        return root_image.run("e2fsck", "-fn", mount)
    except root_image.Failed as failed:
        raise NotClean(str(failed)) from failed
    finally:
        root_image.run(dmremap, "stop", "root", env=environment)


class Trial:
    """Boots of one system, one after the other."""

    def __init__(self):
        self.kernel = root_image.make_tree()
        root_image.make_drives()
        self.acknowledged = 0
        self.died = None
        self.cut_before = False
        self.initramfs = {}
        self.figures = {"shutdowns": 0, "cuts": 0, "replacements": 0, "records": 0}

    def make(self, maker):
        if maker not in self.initramfs:
            path = os.path.join(root_image.WHERE, f"initramfs.{maker}")
            root_image.make_initramfs(maker, self.kernel, path)
            self.initramfs[maker] = path
        return self.initramfs[maker]

    def create(self):
        boot = self.boot(MAKER, "trial=create")
        support.check(boot.ended and boot.words("finished"), self.story(boot, "the set is not made"))
        support.equal(boot.value("root"), "/dev/vda", "the root before")
        self.initramfs.clear()
        root_image.fetch_claim()

    def boot(self, maker, append, **options):
        boot = root_guest.run(self.kernel, self.make(maker), append, **options)
        print(f"{maker}: {append}: {boot.seconds:.0f} s", flush=True)
        return boot

    @staticmethod
    def story(boot, what):
        return (f"{what}: {boot.failure()}\ntold: {boot.told[-8:]}\nconsole:\n"
                + "\n".join(boot.console.splitlines()[-60:]))

    def load(self, maker, cut, replace=1, append=""):
        part = "cut" if cut else "load"
        boot = self.boot(maker, f"trial={part} trial.replace={replace} {append}",
                         cut_after=random.uniform(0, 5) if cut else None)
        support.check(not boot.failure(), self.story(boot, "it failed"))
        support.check(boot.words("cut" if cut else "finished"), self.story(boot, "it did not get there"))
        support.check(boot.value("root").startswith("/dev/ublkb"), f"the root is {boot.value('root')}")
        support.check(int(boot.value("last")) >= self.acknowledged,
                      f"{self.acknowledged} was acknowledged, {boot.value('last')} is there")
        died = int(boot.value("died"))
        if self.died is not None and not self.cut_before:
            support.equal(died, self.died, "a clean shutdown is none that was killed: events `died`")
        self.died, self.cut_before = died, cut
        self.acknowledged = max(boot.acknowledged, int(boot.value("last")))
        self.figures["records"] = self.acknowledged
        self.figures["cuts" if cut else "shutdowns"] += 1
        # One when the host came up, and those under load.
        self.figures["replacements"] += 1 + int(boot.value("replaced") or 0)
        if not cut:
            support.check(boot.ended, self.story(boot, "it does not turn itself off"))
            mount = os.path.join(root_image.WHERE, "offline")
            print(check_offline(mount).splitlines()[-1], flush=True)


def short():
    trial = Trial()
    trial.create()
    for cut, replace in ((False, 10), (True, 1), (False, 0)):
        trial.load(MAKER, cut, replace)
    print(trial.figures)


def all_of_it(boots):
    trial = Trial()
    trial.create()
    for number in range(2 * boots):
        maker = ("initramfs-tools", "dracut")[number // 2 % 2]
        trial.load(maker, cut=number % 2 == 1)
        print(f"after {number + 1} boots: {trial.figures}", flush=True)


def boots_of_any_kind(count, seed):
    print(f"seed {seed}, {count} boots", flush=True)
    chance = random.Random(seed)
    trial = Trial()
    trial.create()
    root_image.run("cp", "--sparse=always", root_image.drive("main"), root_image.drive("clone"))
    came_up, failed = dict.fromkeys(root_boots.MAKERS, 0), dict.fromkeys(root_boots.MAKERS, 0)
    for number in range(count):
        plan = root_boots.draw(chance, number)
        print(f"boot {number + 1}: {plan}", flush=True)
        meanwhile = root_boots.Meanwhile(plan)
        boot = trial.boot(plan.maker, "trial=boot", root=plan.root, disks=plan.disks(),
                          meanwhile=meanwhile)
        try:
            is_up = root_boots.judge(plan, boot, meanwhile, sum(came_up.values()))
        except support.CheckFailed as error:
            raise support.CheckFailed(trial.story(boot, f"boot {number + 1}: {error}")) from error
        (came_up if is_up else failed)[plan.maker] += 1
        if is_up:
            check_offline(os.path.join(root_image.WHERE, "offline"))
    print(f"came up from the set: {came_up}; failed for want of a device: {failed}")
    # Last, for it writes to bare main: what all the others are looked at for is seen.
    plan = root_boots.Plan("dracut", "there", "there", (0, 0), False, ("main", "spare"),
                           f"UUID={root_image.UUID}")
    boot = trial.boot(plan.maker, "trial=boot dmremap=off", disks=plan.disks(), seconds=600)
    support.check(str(boot.value("root")).startswith("/dev/vd"), trial.story(boot, "not bare main"))
    try:
        root_boots.judge(plan, boot, root_boots.Meanwhile(plan), 0)
    except support.CheckFailed:
        return
    raise support.CheckFailed("bare main as the root is not seen")


def wall():
    """Between asking and serving the new process reads a file of the root, as a library might."""
    trial = Trial()
    trial.create()
    trial.load(MAKER, cut=False, replace=3, append="trial.reads=wall")
    # It hangs, with its load and all else that writes, until the guest is ended.
    boot = trial.boot(MAKER, "trial=load trial.replace=1 trial.reads=nowall",
                      cut_after=HANGS_AFTER_SECONDS, cut_on="replacing")
    support.check(boot.words("replacing"), trial.story(boot, "it did not get there"))
    support.check(not boot.words("replaced") and not boot.words("finished") and not boot.ended,
                  trial.story(boot, "it serves although it has read the root before"))


def canary():
    """Without /etc/initrd-release no process is marked, and a shutdown ends the one that serves the root."""
    trial = Trial()
    trial.create()
    hook = os.path.join(root_image.TREE, "usr/share/initramfs-tools/hooks/dm-remap")
    with open(hook, encoding="utf-8") as file:
        text = file.read()
    line = next(line for line in text.splitlines() if "initrd-release" in line)
    with open(hook, "w", encoding="utf-8") as file:
        file.write(text.replace(line, "true"))
    # Nor is it replaced: who asks for that finds a process that is none of the root's.
    boot = trial.boot("initramfs-tools", "trial=load trial.canary=1", seconds=600)
    support.check(boot.words("finished"), trial.story(boot, "it did not get there"))
    clean = boot.ended
    if clean:
        try:
            check_offline(os.path.join(root_image.WHERE, "offline"))
        except NotClean as failed:
            print(f"not clean, as it must be: {str(failed).splitlines()[-1]}")
            clean = False
    support.check(not clean, "the shutdown was clean although the process was not to survive it")


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("part", choices=("short", "all", "boots", "canary", "wall"))
    part = parser.parse_args().part
    missing = results.what_is_missing() or support.what_is_missing(
        True, True, False, ("mmdebstrap", "mke2fs", "debugfs", "chroot", "e2fsck"))
    try:
        if missing is None:
            kernels.fetch(root_image.KERNEL, places.KERNELS)
    except kernels.NotToBeHad as error:
        missing = str(error)
    if missing is not None:
        return results.report_skipped(f"root_on_set {part}", missing)
    began = time.monotonic()
    if part == "all":
        all_of_it(int(os.environ.get("ROOT_BOOTS", "30")))
    elif part == "boots":
        boots_of_any_kind(int(os.environ.get("GUEST_BOOTS", "16")),
                          int(os.environ.get("GUEST_SEED", time.time())))
    else:
        {"short": short, "canary": canary, "wall": wall}[part]()
    print(f"passed: {part} in {time.monotonic() - began:.0f} s")
    return 0


if __name__ == "__main__":
    sys.exit(main())
