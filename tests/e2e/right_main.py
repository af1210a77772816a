#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Promise 8: a start takes the right main or none. A copy is refused though every UUID agrees, and so
is another disk at the recorded place; what was never detached needs nobody's word; what has nothing
of its own is taken on a user's word, which is asked for once."""

import os
import shutil
import time

import product
import support
from support import check, equal


# Nothing speaks for it, or the name of its file speaks against it: that depends on the disk below.
NOT_MAIN = ("main-unproven", "wrong-main")


def _main(t, name):
    image = t.image(name, "64MiB")
    support.run("mkfs.ext4", "-q", "-F", image)
    return image


def _refused(dm, codes, *options):
    done = dm.run("start", dm.name, "--export", "fuse", *options, "--json", expect=3)
    error = done.error_json()
    check(error["code"] in codes, f"expected {codes}: {error}")
    return error


def _replace_by_copy(path):
    """Another file at the path, with the same contents: as after a boot, for an image on a disk
    without a name of its own."""
    shutil.copy(path, path + ".new")
    os.replace(path + ".new", path)


def _change(path, text):
    """What lies where a file system has its superblock, as after use on another machine."""
    with open(path, "r+b") as file:
        file.seek(2048)
        file.write(text)


def _only_a_copy_is_left(t):
    image = _main(t, "a.img")
    dm = product.Product(t, t.loop(image), t.path("a.spare"))
    dm.create("--spare-size", "32MiB")
    dm.start("fuse")
    dm.kill()
    dm.start("fuse")  # within one boot, whatever main is
    dm.kill()
    copy = t.path("a.copy")
    shutil.copy(image, copy)
    support.detach_loop(dm.main)
    clone = t.loop(copy)
    error = _refused(dm, NOT_MAIN)
    check("file system UUID" in error["what"], f"what agrees: {error}")
    check(clone in error["what"] + error["where"], f"it is named: {error}")
    check("--accept-main" in error["hint"], f"the consent is named: {error}")
    return dm, image, clone


def _spare_at_the_node_of_main(t):
    """The two have changed their nodes, as disks do from one boot to the next."""
    main, spare = _main(t, "h.img"), t.image("h.spare", "32MiB")
    dm = product.Product(t, t.loop(main), t.loop(spare))
    dm.create()
    dm.start("fuse")
    dm.stop()
    nodes = (dm.main, dm.spare)
    for node in nodes:
        support.detach_loop(node)
    for node, image in zip(nodes, (spare, main)):
        support.run("losetup", node, image)
        t.cleanup.push(support.detach_loop, node, missing_ok=True)
    found = [one["name"] for one in support.dmremap("discover", "--json").json()["sets"]]
    check(dm.name in found, f"discover finds it: {found}")
    dm.start("fuse")
    dm.stop()
    for node in nodes:
        support.detach_loop(node)


def _another_disk_at_the_node(t):
    """A main with nothing to know it by, and another one of its size at its node."""
    plain = t.image("b.img", "64MiB")
    dm = product.Product(t, t.loop(plain), t.path("b.spare"))
    dm.create("--spare-size", "32MiB")
    node = dm.main
    support.detach_loop(node)
    support.run("losetup", node, t.image("b.other", "64MiB"))
    t.cleanup.push(support.detach_loop, node, missing_ok=True)
    _refused(dm, NOT_MAIN)
    support.detach_loop(node)
    support.run("losetup", node, plain)
    dm.start("fuse")
    dm.stop()


def _a_word_once(t):
    # A file system without a disk: what lies there has no name of its own.
    directory = t.mount("none", "memory", "-t", "tmpfs")
    image = _main(t, os.path.join(directory, "c.img"))
    dm = product.Product(t, image, t.path("c.spare"))
    check("--accept-main" in dm.create("--spare-size", "32MiB").err, "create says what comes")
    dm.start("fuse")
    dm.run("remap", dm.name, "80000+8")
    dm.stop()
    _replace_by_copy(image)
    _refused(dm, ["main-unproven"])
    dm.start("fuse", "--accept-main", image)
    dm.stop()
    _replace_by_copy(image)
    dm.start("fuse")
    check(dm.events("start")[-1]["text"] == "", "a clean start")
    dm.stop()
    # The word was for the device with the contents that it had.
    _replace_by_copy(image)
    _change(image, b"written to elsewhere")
    _refused(dm, ["main-changed"])
    _refused(dm, ["main-changed"], "--accept-main", image)
    dm.start("fuse", "--accept-main", image, "--accept-main-changed")
    dm.kill()
    _replace_by_copy(image)
    _refused(dm, ["main-unproven"])  # after an unclean end: ask


def _a_word_for_another(t):
    """A word counts for the device that it names: another one is known by its contents as before."""
    directory = t.mount("none", "memory-too", "-t", "tmpfs")
    image = _main(t, os.path.join(directory, "g.img"))
    dm = product.Product(t, image, t.path("g.spare"))
    dm.create("--spare-size", "32MiB")
    for options in ((), ("--accept-main", image)):
        dm.start("fuse", *options)
        dm.stop()
        _replace_by_copy(image)
    _change(image, b"an older state of it")
    _refused(dm, ["main-changed"])
    _refused(dm, ["main-changed"], "--accept-main", t.path("absent"))


def _another_size(t):
    image = _main(t, "d.img")
    dm = product.Product(t, image, t.path("d.spare"))
    dm.create("--spare-size", "32MiB")
    os.truncate(image, 65 * support.MIB)
    error = _refused(dm, ["main-resized"])
    check("grew by 2048 sectors" in error["what"], error)
    dm.start("fuse", "--accept-main", image)
    equal(dm.status()["size_sectors"], 64 * support.MIB // 512, "served at its recorded size")
    dm.stop()
    dm.start("fuse")  # once is enough
    dm.stop()
    os.truncate(image, 63 * support.MIB)
    _refused(dm, ["main-resized"])
    _refused(dm, ["main-resized"], "--accept-main", image)
    path = dm.start("fuse", "--accept-main", image, "--read-only")
    with open(path, "rb") as device:
        device.seek(62 * support.MIB)
        equal(len(device.read(4096)), 4096, "what is there is read")
        device.seek(63 * support.MIB + 4096)
        try:
            data = device.read(4096)
        except OSError:
            data = None
        equal(data, None, "its end is errors")
    dm.stop()
    table = dm.run("table", dm.name, "--accept-main", image).out
    check("131072" in table or image in table, f"the table can be had: {table}")


def _another_block(t):
    image = _main(t, "e.img")
    large = t.loop(image)
    support.detach_loop(large)
    support.run("losetup", "--sector-size", "4096", large, image)
    t.cleanup.push(support.detach_loop, large, missing_ok=True)
    dm = product.Product(t, large, t.path("e.spare"))
    dm.create("--spare-size", "32MiB")
    support.detach_loop(large)
    support.run("losetup", large, image)
    _refused(dm, ["block-size"])
    device = dm.start("block", "--accept-main", large)
    equal(support.run("blockdev", "--getss", device).out.strip(), "4096", "its blocks stay large")
    dm.stop()
    dm.start("fuse")
    dm.stop()


def _killed_and_changed(t):
    """Within the boot a killed run leaves evidence of what main held, in a runtime directory that
    lies in memory, as /run does."""
    t.runtime_dir = os.path.join(t.mount("none", "runtime", "-t", "tmpfs"), "run")
    os.environ["DMREMAP_RUNTIME_DIR"] = t.runtime_dir
    image = _main(t, "f.img")
    dm = product.Product(t, image, t.path("f.spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("fuse")
    dm.run("remap", dm.name, "80000+8")
    for sector in range(4096, 40960, 4096):
        support.write_sectors(device, sector, support.pattern(sector, 8, "flushed"))
    support.flush(device)
    time.sleep(3)  # evidence is taken at most once a second
    dm.kill()
    dm.start("fuse")  # nobody wrote to it
    dm.kill()
    with open(image, "r+b") as file:
        for sector in range(4096, 40960, 4096):
            file.seek(sector * 512)
            file.write(b"changed on another machine")
    error = _refused(dm, ["main-changed"])
    check("than when the set was killed" in error["what"], f"says why: {error}")
    _refused(dm, ["main-changed"], "--accept-main", image)
    dm.start("fuse", "--accept-main-changed")
    dm.stop()


def right_main(t):
    dm, image, clone = _only_a_copy_is_left(t)
    node = t.loop(image)
    dm.start("fuse")  # the right one beside its copy: known by its file
    equal(dm.status()["main"]["path"], node, "the disk, not the copy")
    dm.stop()
    error = _refused(dm, ["wrong-main"], "--accept-main", clone)
    check(node in error["what"], f"says which is main: {error}")
    _spare_at_the_node_of_main(t)
    _another_disk_at_the_node(t)
    _a_word_once(t)
    _a_word_for_another(t)
    _another_size(t)
    _another_block(t)
    _killed_and_changed(t)


support.run_test(right_main, root=True, fuse=True, loop=True)
