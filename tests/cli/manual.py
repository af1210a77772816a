#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Every verb explains itself: help, man page, example and exit codes, of one source, complete."""

import json
import os
import re

import support
from support import check, equal

VERBS = {"create", "start", "stop", "list", "status", "events", "monitor", "metrics", "explain", "table",
         "map", "files", "report", "examine", "check", "repair", "resolve", "remap", "unremap", "retry", "scrub", "bad",
         "backfill", "copy", "release", "spare", "discover", "assemble", "help", "claims",
         "enable", "disable"}
BUILD = os.path.dirname(os.path.dirname(support.DMREMAP))
PAGES = os.path.join(BUILD, "manual")


def described(program):
    return support.run(program, "--describe").json()


def plain(page):
    """What a reader sees, in one line, hyphens as typed."""
    shown = support.run("man", "--nh", "--nj", "-l", page,
                        env={**os.environ, "MANWIDTH": "500", "LC_ALL": "C.UTF-8"}).out
    return re.sub(r"\s+", " ", shown.replace("\u2010", "-").replace("\u2212", "-"))


def headings(verb):
    """Options and arguments of a verb and of those below it that have no page of their own."""
    found = [o["heading"] for o in verb["options"] + verb["arguments"]]
    for below in verb["verbs"]:
        if not below["described"]:
            found += [h for h in headings(below) if h != "-h, --help"]
    return found


def check_verb(path, verb, page):
    where = " ".join(path)
    check(verb["described"], f"{where}: describe() it, see src/manual/manual.hpp")
    for part in ("summary", "description", "examples", "exits", "see_also"):
        check(verb[part], f"{where}: has {part}")
    for example in verb["examples"]:
        check(" ".join(path[:2]) in example["command"], f"{where}: an example of it: {example}")
    codes = [e["code"] for e in verb["exits"]]
    check(codes == sorted(set(codes)) and set(codes) >= {0, 2}, f"{where}: exit codes {codes}")
    has_json = any("--json" in h for h in headings(verb))
    equal(bool(verb["json"]), has_json, f"{where}: what --json prints is told")
    text = plain(page)
    for heading in headings(verb):
        check(heading in text, f"{page}: lists {heading}")
    for title in ("SYNOPSIS", "EXIT STATUS", "EXAMPLES", "SEE ALSO"):
        check(title in text, f"{page}: has {title}")


def check_help(path, verb):
    done = support.run(*path, "--help")
    equal(done.err, "", f"stderr of {path} --help")
    for option in verb["options"] + verb["arguments"]:
        check(option["heading"] in done.out, f"{path} --help lists {option['heading']}: {done.out}")
        check(option["completes"] != "TEXT", f"{path} {option['heading']}: name its value")
    for example in verb["examples"]:
        check(example["command"] in done.out, f"{path} --help shows {example['command']}")
    for below in verb["verbs"]:
        check_help([*path, below["name"]], below)


def check_pages_are_clean(directory):
    pages = sorted(os.listdir(directory))
    for page in pages:
        path = os.path.join(directory, page)
        for tool in (["man", "--warnings", "-l"], ["groff", "-ww", "-man", "-Tutf8", "-z"],
                     ["mandoc", "-T", "lint", "-W", "warning"]):
            done = support.run(*tool, path, expect=None)
            problem = done.err + (done.out if tool[0] == "mandoc" else "")
            equal((done.exit, problem), (0, ""), f"{' '.join(tool)} {page}")
    return pages


def check_references(verb, pages):
    """A page that is referred to and should be here is here."""
    for see in verb["see_also"]:
        name = f"dmremap-{see}.8" if "(" not in see else see.replace("(", ".").rstrip(")")
        ours = name.startswith("dmremap")
        check(name in pages or not ours, f"{verb['name']}: see {see}: no page")


def check_words(directory):
    """dmremap(7) explains each word, and each state and condition that a schema knows, once."""
    text = plain(os.path.join(directory, "dmremap.7"))
    for title in ("WORDS", "STATES OF A SECTOR", "STATES OF A SET", "CONDITIONS OF A SET"):
        equal(text.count(f" {title} "), 1, f"dmremap(7) has {title}")
    with open(os.path.join(support.ROOT, "docs/man/dmremap.7.md"), encoding="utf-8") as file:
        lines = file.read().split("\n")
    explained = [word for line, below in zip(lines, lines[1:])
                 if below.startswith("  ") and not line.startswith(" ") for word in line.split(", ")]
    with open(os.path.join(support.ROOT, "docs/schema/common.json"), encoding="utf-8") as file:
        known = json.load(file)["$defs"]
    verdicts = ["good", "stale"]  # of a slot as well as of a sector or disk
    for words in ("condition", "sector_state"):
        for word in known[words]["enum"]:
            expected = {"good": 3}.get(word, 1)
            equal(explained.count(word), expected, f"dmremap(7) explains {word}")
    check(verdicts[1] in explained, "verdicts on slots")
    layout = plain(os.path.join(directory, "dmremap-format.5"))
    for part in ("EIGHT COPIES", "THE SEAL", "508 4 CRC32C of bytes 0-507"):
        check(part in layout, f"dmremap-format(5) has {part}")


def check_top_help():
    """Grouped, and no wider than a terminal; the same by `help`."""
    for words in ([], ["status"], ["bad", "import"]):
        shown = support.dmremap("help", *words).out
        equal(shown, support.dmremap(*words, "--help").out, f"help {words}")
        for line in shown.split("\n"):
            check(len(line) <= 80 or line.startswith("  dmremap"), f"80 columns: {line}")
    shown = support.dmremap("--help").out
    for title in ("Every day:", "To get data back", "When there is trouble"):
        check(title in shown, f"{title} in {shown}")
    check("Other verbs" not in shown, "each verb is in a group")
    equal(support.dmremap("-V").out, support.dmremap("--version").out, "-V")


def manual(t):
    product = described(support.DMREMAP)
    verbs = {verb["name"]: verb for verb in product["verbs"]}
    equal(verbs.keys(), VERBS, "verbs")
    directory = os.path.join(PAGES, "dmremap/man")
    pages = check_pages_are_clean(directory)
    equal(pages, sorted([f"dmremap-{name}.8" for name in verbs]
                         + ["dmremap.8", "dmremap.7", "dmremap-format.5", "dmremap.conf.5"]), "pages")
    lab_directory = os.path.join(PAGES, "dmremap-lab/man")
    equal(check_pages_are_clean(lab_directory), ["dmremap-lab.1"], "pages of the lab")
    for name, verb in verbs.items():
        check_verb(["dmremap", name], verb, os.path.join(directory, f"dmremap-{name}.8"))
        check_references(verb, pages + ["dmremap-lab.1"])
    whole = plain(os.path.join(directory, "dmremap.8"))
    for title in ("VERBS", "DEVICES AND NAMES", "RANGES AND SIZES", "JSON AND ERRORS",
                  "EXIT STATUS", "ENVIRONMENT", "FILES", *(f"dmremap-{name}(8)" for name in verbs)):
        check(title in whole, f"dmremap(8) has {title}")
    check_words(directory)
    check_top_help()
    lab = described(support.DMREMAP_LAB)
    check_verb(["dmremap-lab"], {**lab, "json": "show"},
               os.path.join(lab_directory, "dmremap-lab.1"))
    check_help([support.DMREMAP], product)
    check_help([support.DMREMAP_LAB], lab)


support.run_test(manual, programs=["man", "groff", "mandoc"])
