# SPDX-License-Identifier: GPL-2.0-or-later
"""A page of documentation in Markdown as a man page (tools/manual). It knows what our pages use:
headings, paragraphs, lists, tables, blocks of code; and paragraphs whose first line alone is not
indented, which explain what that line names (src/manual/prose.hpp)."""

import re
import textwrap

import roff

COLUMNS = 78  # of a terminal, less the indent of a page


def plain(text):
    """Without links and emphasis."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", text)
    text = text.replace("`", "")
    return re.sub(r"\*\*?([^*\s](?:[^*]*[^*\s])?)\*\*?", r"\1", text)


def styled(text):
    """Lines of roff with emphasis."""
    text = re.sub(r"\[([^]]+)\]\([^)]+\)", r"\1", " ".join(text.split()))
    text = re.sub(r"\*\*([^*]+)\*\*", "\x01\\1\x03", text)
    text = re.sub(r"(?<![\w*])\*([^*\s](?:[^*]*[^*\s])?)\*", "\x02\\1\x03", text)
    return [line.replace("\x01", "\\fB").replace("\x02", "\\fI").replace("\x03", "\\fR")
            for line in roff.flowed(text)]


def verbatim(lines):
    return [".PP", ".nf", ".RS 2", *map(roff.escaped, (line.replace("`", "") for line in lines)),
            ".RE", ".fi"]


def table(lines):
    """In columns, the last of which is broken where it is too long."""
    rows = [[plain(cell.strip()) for cell in line.strip().strip("|").split("|")] for line in lines]
    del rows[1]  # the rule below the headings
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    before = sum(width + 2 for width in widths[:-1])
    out = []
    for row in rows:
        first = "".join(f"{cell:<{width + 2}}" for cell, width in zip(row[:-1], widths))
        last = textwrap.wrap(row[-1], max(20, COLUMNS - 9 - before)) or [""]
        out.append((first + last[0]).rstrip())
        out += [" " * before + line for line in last[1:]]
    return verbatim(out)


def item(lines):
    """An item of a list."""
    mark, text = re.match(r"(- |\d+\. )(.*)", " ".join(map(str.strip, lines))).groups()
    tag = "\\(bu 2" if mark == "- " else f"{mark.strip()} 4"
    return [f".IP {tag}", *styled(text)]


def blocks(text):
    """The page in pieces: lists of lines."""
    block, code = [], False
    for line in text.split("\n"):
        if line.startswith("```"):
            code = not code
            if code and block:
                yield block
                block = []
            block.append(line)
            if not code:
                yield block
                block = []
            continue
        begins = not code and (line.startswith("#") or re.match(r"(- |\d+\. )", line))
        if (not line and not code) or begins:
            if block:
                yield block
            block = []
        if line or code:
            block.append(line)
        if not code and line.startswith("#"):
            yield block
            block = []
    if block:
        yield block


def body(text):
    out = [".SH DESCRIPTION"]
    for lines in blocks(text):
        first = lines[0]
        if first.startswith("## "):
            out.append(f".SH {roff.quoted(plain(first[3:]).upper())}")
        elif first.startswith("### "):
            out.append(f".SS {roff.quoted(plain(first[4:]))}")
        elif first.startswith("# "):
            continue
        elif first.startswith("```"):
            out += verbatim(lines[1:-1])
        elif first.startswith("|"):
            out += table(lines)
        elif re.match(r"(- |\d+\. )", first):
            out += item(lines)
        elif len(lines) > 1 and all(line.startswith("  ") for line in lines[1:]):
            out += [".TP", f"\\fB{roff.escaped(plain(first))}\\fR", *styled(" ".join(lines[1:]))]
        else:
            out += [".PP", *styled(" ".join(lines))]
    return without_empty_paragraphs(out)


def without_empty_paragraphs(lines):
    """A paragraph after a heading begins by itself."""
    return [line for i, line in enumerate(lines)
            if not (line == ".PP" and i and lines[i - 1].startswith((".SH", ".SS")))]


def title_of(text):
    return plain(text.split("\n", 1)[0].removeprefix("# "))


def page(text, name, section, date, version, see_also):
    """The man page NAME(SECTION)."""
    summary = title_of(text).removeprefix("dm-remap: ")
    references = [f".BR {roff.escaped(one)} ({number})" for one, number in see_also]
    return "\n".join([
        *roff.header(name, section, date, version, name, summary), *body(text), ".SH SEE ALSO",
        *[one + "," * (one != references[-1]) for one in references]]) + "\n"
