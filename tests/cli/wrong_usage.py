#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Wrong arguments: exit 2, one line, with --json an error object; nothing is done."""

import support
from support import check, equal
from untouched import refused


def wrong_usage(t):
    main = t.image("main.img", "16MiB", fill=1)
    spare = t.image("spare.img", "32MiB")
    for args in [
        [],
        ["no-such-verb"],
        ["create"],
        ["create", "data"],
        ["create", "data", main],
        ["create", "data", main, spare, "extra"],
        ["create", "data", main, spare, "--no-such-option"],
        ["create", "bad/name", main, spare],
        ["create", ".hidden", main, spare],
        ["create", "x" * 65, main, spare],
        ["create", "", main, spare],
        ["create", "data", main, t.path("new.img"), "--spare-size", "many"],
        ["create", "data", main, t.path("new.img"), "--spare-size", "32MB"],
        ["create", "data", main, t.path("new.img"), "--spare-size", "-1"],
        ["create", "data", main, t.path("new.img"), "--spare-size", "99999999TiB"],
        ["create", "data", main, spare, "--destroy", "not-a-uuid"],
        ["start"],
        ["start", "two", "names", "--foreground"],
        ["start", "--all", "name"],
        ["start", "bad name"],
        ["start", main, "name"],
        ["start", main, spare, main],
        ["start", main, spare, "--export", "carrier-pigeon"],
        ["start", main, spare, "--stale-ok"],
        ["start", main, spare, "--replace"],
        ["start", main, "--replace"],
        ["start", "a", "b", "--replace"],
        ["stop"],
        ["stop", "--all", "a"],
        ["stop", main],
        ["status", "--all", "a"],
        ["status", main],
        ["status", main + "/below"],
        ["status", "/dev/null"],
        ["events", main],
        ["events", "--since", "soon"],
        ["events", "--follow", "a", "b"],
        ["list", "-o", "name,colour"],
        ["list", "-S", "colour"],
        ["help", "no-such-verb"],
        ["explain", "data"],
        ["explain", "data", "8", "--file", main],
        ["status", "--watch"],
        ["status", "--watch", "--json"],
        ["monitor", "extra"],
        ["monitor", "--oneshot", "--test"],
        ["monitor", "--mail", "a b"],
        ["monitor", "--deadline", "0"],
        ["metrics", "extra"],
        ["metrics", "--listen", "nowhere"],
        ["metrics", "--listen", "1", "--textfile", "file"],
        ["examine"],
        ["list", "extra"],
        ["remap", "data"],
        ["remap", "data", "0+0"],
        ["remap", "data", "one"],
        ["remap", "data", "-5"],
        ["remap", "data", "1+x"],
        ["remap", "data", str(1 << 41)],
        ["remap", "data", "9-8"],
        ["remap", "data", "100B"],
        ["remap", "data", "1KB"],
        ["unremap", "data"],
        ["unremap", "data", "one"],
        ["bad"],
        ["bad", "import", "data"],
        ["bad", "export", "data", t.path("list"), "--format", "csv"],
        ["bad", "export", "data", t.path("list"), "--block-size", "100"],
        ["create", "data", main, spare, "--known-bad", main, "--known-bad-format", "csv"],
    ]:
        refused(t, "usage", *args, exit=2, paths=(main, spare))

    for verb in ["create", "start", "stop", "list", "status", "events", "examine", "remap",
                 "unremap", "bad"]:
        done = support.dmremap(verb, "--help")
        check(verb in done.out and done.err == "", f"help of {verb}")
    check(support.dmremap("--version").out.startswith("dmremap "), "--version")
    equal(support.dmremap("--help").err, "", "stderr of --help")


support.run_test(wrong_usage)
