# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong arguments give exit 2, failures 1, refusals 3: one line each, and nothing left behind."""

import os

import support
from support import check, dmremap_lab, equal


def bad_arguments(t):
    disk = t.lab(size="1MiB")
    image = t.image("free.img", "1MiB")
    free = t.path("free")
    bad_list = t.path("bad.list")
    with open(bad_list, "w", encoding="utf-8") as file:
        file.write("read 1\nbroken 2\n")
    before = sorted(os.listdir(t.dir))

    wrong_usage = [
        [], ["dance"], ["serve"], ["serve", image], ["serve", image, free, "extra"],
        ["serve", image, free, "--faults", bad_list, "--background"],
        ["serve", image, t.dir + "/", "--background"],
        ["fault"], ["fault", disk.path], ["fault", disk.path, "read"],
        ["fault", disk.path, "red", "1"], ["fault", disk.path, "read:ENOSUCH", "1"],
        ["fault", disk.path, "slow", "1"], ["fault", disk.path, "flaky:2", "1"],
        ["fault", disk.path, "read", "x"], ["fault", disk.path, "read", "1+0"],
        ["fault", disk.path, "read", "-1"], ["fault", disk.path, "read", "2047+2"],
        ["clear", disk.path, "2-1"], ["clear", disk.path, "2048"], ["clear"], ["unplug"],
        ["mode", disk.path], ["mode", disk.path, "arm"], ["mode", disk.path, "arm:8"],
        ["cache", disk.path], ["cache", disk.path, "lossy"], ["flushes", disk.path],
        ["flushes", disk.path, "EIO:0"], ["flushes", disk.path, "bad"],
        ["serve", image, free, "--front", "nbd"],
        ["show"], ["show", disk.path, "--yaml"], ["stop"],
        ["save", disk.path], ["save", disk.path, t.path("x"), "--format", "xml"],
    ]
    for arguments in wrong_usage:
        dmremap_lab(*arguments, expect=2).one_line_error()

    fails = [
        ["serve", t.path("none.img"), free, "--background"],
        ["serve", t.dir, free, "--background"],
        ["serve", "/dev/null", free, "--background"],
        ["serve", image, t.path("no", "such", "dir"), "--background"],
        ["serve", image, t.runtime_dir, "--background"],
        ["serve", image, free, "--faults", t.path("none.list"), "--background"],
        ["serve", image, free, "--faults", t.dir, "--background"],
        ["cache", free, "none"], ["flushes", free, "ok"],
        ["fault", free, "read", "1"], ["clear", free], ["unplug", free], ["replug", free],
        ["show", free], ["stop", free], ["save", free, t.path("x")],
        ["save", disk.path, t.path("no", "such", "file")],
    ]
    for arguments in fails:
        dmremap_lab(*arguments, expect=1).one_line_error()

    dmremap_lab("serve", image, image, "--background", expect=3).one_line_error()
    dmremap_lab("serve", t.image("empty.img", 0), free, "--background", expect=3).one_line_error()
    dmremap_lab("serve", t.image("odd.img", 1000), free, "--background", expect=3).one_line_error()
    os.remove(t.path("empty.img"))
    os.remove(t.path("odd.img"))

    error = dmremap_lab("show", free, "--json", expect=1).error_json()
    equal(error["code"], "not-running", "code of the JSON error")
    check(error["where"].endswith("/free") and error["hint"], f"where and hint: {error}")

    equal(disk.show()["faults"], [], "faults that a wrong command set")
    equal(sorted(os.listdir(t.dir)), before, "files left behind")
    check(dmremap_lab("--help").out, "help goes to stdout")


support.run_test(bad_arguments, root=True, fuse=True)
