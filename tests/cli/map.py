#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""map shows the disk by state, as text, SVG, PNG and JSON; one bad sector of terabytes is seen."""

import os
import pty
import re
import xml.etree.ElementTree as ET

import images
import product
import support
import untouched
from support import check, equal

TEBIBYTES = 4 << 40
BAD = (1_000_000, 5_000_000_000, 7_900_000_000)  # sectors


def _map(dm, *options, columns="80", **more):
    env = {**os.environ, "COLUMNS": columns, "LC_ALL": "C.UTF-8", **more}
    return dm.run("map", dm.name, *options, env=env)


def _cells(text):
    """[(first sector, characters)] of the lines of the map, each with its size if there is room."""
    body = text.split("\n\n")[1]
    lines = [re.fullmatch(r" *(\d+)(?: +[\d.]+ [KMG]iB)?  (\S+)", line) for line in body.splitlines()]
    check(all(lines), f"lines of the map: {body}")
    return [(int(line[1]), line[2]) for line in lines]


def _text(dm):
    done = _map(dm)
    cells = _cells(done.out)
    check("\x1b" not in done.out, "no color where no terminal is")
    check(all(len(line) <= 80 for line in done.out.split("\n\n", 1)[1].splitlines()), "as wide as asked")
    shown = "".join(row for _, row in cells)
    equal(shown.count("x"), len(BAD), "each bad sector is seen, as a few of many")
    per_cell = cells[1][0] // len(cells[0][1])
    equal([shown[sector // per_cell] for sector in BAD], ["x"] * len(BAD), "in its place")
    check(re.search(r"x X lost +3 sectors +1\.5 KiB", done.out), f"the legend: {done.out}")
    for words in ("\n3 sectors (1.5 KiB) cannot be read: 3 lost, 0 gone\n", f"\ndisk: {dm.main}, 4 TiB\n",
                  "% used (0 B of ", "\n  lost: 7900000000+1 (512 B at 3.7 TiB)\n"):
        check(words in done.out, f"{words!r} in {done.out}")
    check(re.search(r"^ *\d+ +\d+ GiB  ", done.out, re.M), "GiB beside sectors")
    ascii_only = _map(dm, LC_ALL="C").out
    check(ascii_only.isascii() and not done.out.isascii(), "ASCII in the locale C")
    equal([row.replace("x", ".").strip(".") for _, row in _cells(ascii_only)],
          [""] * len(_cells(ascii_only)), "the same map in ASCII")
    narrow = _map(dm, columns="40").out
    check(max(map(len, narrow.split("\n\n")[1].splitlines())) <= 40, "narrow")
    equal(len(_map(dm, columns="nonsense").out), len(done.out), "nonsense is 80")


def _region(t, dm):
    """A part of the disk, in text, JSON and pictures."""
    first, count = BAD[1] - 4, 16
    region = f"{first}+{count}"
    shown = _map(dm, "--region", region).out
    equal([first for first, _ in _cells(shown)], [first], "one line of sectors")
    equal([row[4] for _, row in _cells(shown)], ["X"], "all of this cell is lost")
    check("\nshown: sectors 4999999996+16 (8 KiB at 2.3 TiB) of 4 TiB\n" in shown, shown)
    check("\n3 sectors (1.5 KiB) cannot be read" in shown, "the loss is of the whole disk")
    as_json = _map(dm, "--region", region, "--json").json()
    equal(as_json["region"], {"sector": first, "count": count}, "region")
    equal(as_json["ranges"], [{"sector": BAD[1], "count": 1, "state": "lost"}], "ranges")
    equal((as_json["sectors"]["lost"], as_json["sectors"]["good"]), (1, count - 1), "counts")
    check("region" not in _map(dm, "--json").json(), "of the whole disk there is none")
    svg = t.path("region.svg")
    _map(dm, "--region", region, "--svg", svg)
    with open(svg, encoding="utf-8") as file:
        check("<title>5000000000+1 at 2.3 TiB: 1 lost</title>" in file.read(), "a square of a sector")
    for wrong in ("8589934592", "1+", "x", "99999999999999999999+1"):
        dm.run("map", dm.name, "--region", wrong, expect=2).one_line_error()


def _terminal(dm, **env):
    """What it prints on a terminal."""
    parent, child = pty.openpty()
    done = support.subprocess.run([support.DMREMAP, "map", dm.name], stdout=child, check=True,
                                  env={**os.environ, **env})
    os.close(child)
    out = b""
    try:
        while piece := os.read(parent, 65536):
            out += piece
    except OSError:  # the other side is closed
        pass
    os.close(parent)
    equal(done.returncode, 0, "exit")
    return out.decode()


def _pixels(path):
    """Width, height and the colours in use of a PNG."""
    with open(path, "rb") as file:
        image = images.Png(file.read())
    return image.width, image.height, image.colors()


def _count(colors, *wanted):
    """Pixels of about that colour."""
    return sum(count for color, count in colors.items()
               if all(abs(a - b) <= 2 for a, b in zip(color, wanted)))


def _pictures(t, dm):
    svg, png = t.path("map.svg"), t.path("map.png")
    done = _map(dm, "--svg", svg, "--png", png)
    equal((done.out, done.err), ("", ""), "says nothing")
    root = ET.parse(svg).getroot()
    check(root.tag.endswith("svg") and float(re.sub("[a-z]", "", root.get("width"))) == 1200, "SVG")
    svg_name = "{http://www.w3.org/2000/svg}"
    titles = [group.find(svg_name + "title").text for group in root.iter(svg_name + "g")
              if group.get("class") == "lost"]
    equal(len(titles), len(BAD), "lost cells in the SVG")
    check(all(title.endswith(": 1 lost") for title in titles), f"they say what they are: {titles}")
    texts = [text.text for text in root.iter(svg_name + "text")]
    check("3 sectors (1.5 KiB) cannot be read: 3 lost, 0 gone" in texts, f"texts are texts: {texts}")
    width, height, colors = _pixels(png)
    check(width == 2400 and height > 1000, f"{width} x {height}")
    check(_count(colors, 214, 94, 0) > 50, "lost cells in the PNG")
    check(_count(colors, 0, 115, 179) > 0, "the legend has remapped")


def _files(t, dm):
    """Written whole or not at all, never over a device."""
    kept = t.path("kept.svg")
    with open(kept, "w", encoding="utf-8") as file:
        file.write("old")
    os.chmod(kept, 0o640)
    _map(dm, "--svg", kept)
    equal(os.stat(kept).st_mode & 0o777, 0o640, "permissions")
    device = t.loop(t.image("victim.img", "1MiB"))
    for where in (device, t.dir):
        untouched.refused(t, "usage", "map", dm.name, "--png", where, exit=2)
    dm.run("map", dm.name, "--svg", t.path("no/such/place"), expect=1).one_line_error()
    with open(t.path("victim.img"), "rb") as file:
        check(not any(file.read()), "the device is as it was")


def _all_states(t):
    """A small set with every state."""
    disk = t.lab(size="16MiB", fill="old")
    spare_disk = t.lab(size="32MiB")
    dm = product.Product(t, disk.path, spare_disk.path)
    dm.create()
    dm.start("fuse")
    dm.run("remap", dm.name, "1000+8")
    dm.make_gone(disk, 1008)
    with open(t.path("list.map"), "w", encoding="ascii") as file:
        file.write("# Mapfile\n0 ? 1\n0 5120000 ?\n5120000 512 -\n5120512 1024 /\n")
    dm.run("bad", "import", dm.name, t.path("list.map"))
    as_json = _map(dm, "--json").json()
    equal(as_json["sectors"], {"good": 32768 - 12, "remapped": 8, "suspect": 2, "lost": 1,
                               "gone": 1}, "counts")
    equal([(r["sector"], r["count"], r["state"]) for r in as_json["ranges"]],
          [(1000, 8, "remapped"), (1008, 1, "gone"), (10000, 1, "lost"), (10001, 2, "suspect")],
          "ranges")
    shown = "".join(row for _, row in _cells(_map(dm).out))
    equal((shown.count("+"), shown.count("x")), (1, 1), "gone and lost are seen")
    colored = _terminal(dm, COLUMNS="80")
    check("\x1b[1;31m2 sectors (1 KiB) cannot be read: 1 lost, 1 gone\x1b[0m" in colored,
          f"what was lost is red: {colored}")
    plain = _terminal(dm, COLUMNS="80", NO_COLOR="1")
    check("\x1b" not in plain, "NO_COLOR")
    equal(re.sub(r"\x1b\[[0-9;]*m", "", colored), plain, "the same without color")
    dm.stop()
    check("+" in "".join(row for _, row in _cells(_map(dm).out)), "of a stopped set too")


def map_verb(t):
    with open(t.path("list"), "w", encoding="ascii") as file:
        file.write("".join(f"{sector}\n" for sector in BAD))
    dm = product.Product(t, t.image("big.img", TEBIBYTES), t.path("spare"))
    dm.create("--spare-size", "32MiB", "--known-bad", t.path("list"), "--known-bad-block-size",
              "512")
    _text(dm)
    _pictures(t, dm)
    _files(t, dm)
    _region(t, dm)
    untouched.refused(t, "not-running", "map", "no-such-set", exit=1)
    _all_states(t)


support.run_test(map_verb, root=True, fuse=True, loop=True)
