#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""report writes one page about a set that runs, is read-only or stopped; whole or not at all."""

import html.parser
import os

import product
import support
import untouched
from support import check, equal


class _Texts(html.parser.HTMLParser):
    """The texts of a page, and what it would fetch or run."""

    def __init__(self, text):
        super().__init__()
        self.words, self.fetched, self.kinds = [], [], set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.kinds.add(tag)
        self.fetched += [value for name, value in attrs
                         if name in ("src", "href", "srcset", "action") and value != "data:,"]

    def handle_data(self, data):
        self.words.append(data)

    @property
    def text(self):
        return " ".join(" ".join(self.words).split())


def _page(dm, path):
    done = dm.run("report", dm.name, "--html", path)
    equal((done.out, done.err), ("", ""), "says nothing")
    with open(path, encoding="utf-8") as file:
        return _Texts(file.read())


def _tells(page, *wanted):
    equal((page.fetched, page.kinds & {"script", "img", "iframe"}), ([], set()), "whole in itself")
    for text in wanted:
        check(text in page.text, f"`{text}` in the page: {page.text}")


def _in_each_state(t, dm, disk):
    path = t.path("report.html")
    dm.create("--spare-size", "16MiB")
    _tells(_page(dm, path), dm.name, "stopped", f"dmremap start {dm.name}", "was stopped")
    dm.start("fuse")
    _tells(_page(dm, path), "healthy", "of a set that runs")
    disk.fault("read", "4096+8")
    dm.run("remap", dm.name, "2048+8")
    dm.run("remap", dm.name, "4096+8")
    damaged = ("data-lost", f"dmremap files {dm.name}", "4096 8 lost",
               dm.status()["uuid"], disk.path, "8 of 8 copies", "remap warning")
    _tells(_page(dm, path), *damaged, "The reading of the whole disk in the background")
    version = support.dmremap("--version").out.strip()
    _tells(_page(dm, path), f"by {version} on {os.uname().nodename}")
    dm.stop()
    _tells(_page(dm, path), *damaged, "stopped", "Growth over time")
    dm.start("fuse", "--read-only")
    _tells(_page(dm, path), *damaged, "read-only", "No scan runs")


def _files(t, dm):
    """Where it goes, and what is left if it cannot go there."""
    path = t.path("kept.html")
    old = os.umask(0o027)
    try:
        dm.run("report", dm.name, "--html", path)
    finally:
        os.umask(old)
    equal(os.stat(path).st_mode & 0o777, 0o640, "permissions as umask has it")
    out = dm.run("report", dm.name, "--html", "-").out
    check(out.startswith("<!DOCTYPE html>") and out.endswith("</html>\n"), "on standard output")
    as_json = dm.run("report", dm.name, "--html", path, "--json").json()
    equal((as_json["file"], as_json["name"], as_json["running"], as_json["bytes"]),
          (path, dm.name, True, os.path.getsize(path)), "JSON")
    _refusals(t, dm)


def _refusals(t, dm):
    untouched.refused(t, "usage", "report", dm.name, exit=2)
    untouched.refused(t, "usage", "report", dm.name, "--html", t.dir, exit=2)
    untouched.refused(t, "usage", "report", dm.name, "--html", t.loop(t.image("victim", "1MiB")),
                      exit=2)
    both = dm.run("report", dm.name, "--html", "-", "--json", expect=2)
    equal((both.out, both.error_json()["code"]), ("", "usage"), "either the page or JSON")
    untouched.refused(t, "not-running", "report", "no-such-set", "--html", t.path("none"), exit=1)
    check(not os.path.exists(t.path("none")), "no page of no set")
    missing = dm.run("report", dm.name, "--html", t.path("no/such/place"), expect=1)
    line = missing.one_line_error()
    check(t.path("no") in line and "No such file" in line, f"says what is not there: {line}")
    _full_disk(t, dm)


def _full_disk(t, dm):
    """A file system that is full: the old page stays, and nothing beside it."""
    small = t.path("small")
    os.mkdir(small)
    support.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", small)
    t.cleanup.push(support.unmount, small)
    page = os.path.join(small, "page.html")
    with open(page, "w", encoding="ascii") as file:
        file.write("old")
    with open(os.path.join(small, "filler"), "wb") as file:
        file.write(bytes(52 << 10))
    line = dm.run("report", dm.name, "--html", page, expect=1).one_line_error()
    check("No space left" in line, f"says why: {line}")
    equal(sorted(os.listdir(small)), ["filler", "page.html"], "what is there")
    with open(page, encoding="ascii") as file:
        equal(file.read(), "old", "the old page")
    to_full = support.run("sh", "-c", f"{support.DMREMAP} report {dm.name} --html - > /dev/full",
                          expect=1)
    to_full.one_line_error()


def report(t):
    disk = t.lab(size="16MiB")
    # A path that is markup: it comes from a disk, and is text in the page.
    dm = product.Product(t, disk.path, t.path("<b>spare&"))
    _in_each_state(t, dm, disk)
    with open(t.path("report.html"), encoding="utf-8") as file:
        check("&lt;b&gt;spare&amp;" in file.read(), "the path is escaped")
    _files(t, dm)


support.run_test(report, root=True, fuse=True, loop=True)
