# SPDX-License-Identifier: GPL-2.0-or-later
"""Text as roff, for the man pages (tools/manual)."""

import re
import textwrap


def escaped(text):
    text = text.replace("\\", "\\e").replace("-", "\\-")
    text = re.sub(r"`([^`]+)`", r"\\fB\1\\fR", text)
    return re.sub(r"^([.'])", r"\\&\1", text, flags=re.MULTILINE)


def flowed(text):
    """Lines of roff: a sentence begins on a line of its own."""
    sentences = re.split(r"(?<=[.?]) (?=[A-Z`])", " ".join(text.split()))
    lines = [line for one in sentences for line in textwrap.wrap(
        one, 76, break_long_words=False, break_on_hyphens=False)]
    return escaped("\n".join(lines)).split("\n")


def quoted(text):
    """One argument of a macro."""
    return '"' + escaped(text).replace('"', '\\(dq') + '"'


def header(title, section, date, version, name, summary):
    return ['.\\" Made by tools/manual. SPDX-License-Identifier: GPL-2.0-or-later',
            f'.TH {title.upper()} {section} {date} "{version}" "dm\\-remap"',
            ".SH NAME", f"{escaped(name)} \\- {escaped(summary)}"]
