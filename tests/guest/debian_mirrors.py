#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Kernels come from the mirrors that the machine is configured for, and from no other place: Debian's
entries are taken as they are, in both forms, with backports from the same mirror."""

import os

import kernels
import support
from support import check, equal

RELEASE = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n'


def _fields(text):
    """The stanzas of deb822 text, each as a list of lines."""
    return [sorted(stanza.splitlines()) for stanza in text.strip().split("\n\n")]


def mirrors(t):
    etc = t.path("apt")
    os.makedirs(os.path.join(etc, "sources.list.d"))
    release = t.path("os-release")

    def write(name, text):
        path = release if name == "os-release" else os.path.join(etc, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def found():
        return _fields(kernels.sources_with_backports(etc, release))

    def refused(words):
        try:
            kernels.sources_with_backports(etc, release)
        except kernels.NotToBeHad as error:
            check(words in str(error), f"{words!r} is not in {error}")
            return
        raise support.CheckFailed(f"not refused: {words}")

    write("os-release", "ID=other\nVERSION_CODENAME=bookworm\n")
    refused("not Debian")
    write("os-release", RELEASE)
    refused("no Debian mirror")

    # One line each; what is commented out, source code and other suites are not taken.
    write("sources.list", """\
# deb http://old.invalid/debian bookworm main
deb [arch=amd64 signed-by=/keys/a.gpg] http://one.invalid/debian bookworm main contrib  # ours
deb-src http://one.invalid/debian bookworm main
deb http://one.invalid/security bookworm-security main
deb http://other.invalid/tools stable main
deb http://other.invalid/tools bookworm free
""")
    one = ["Components: main contrib", "Signed-By: /keys/a.gpg", "Suites: bookworm", "Types: deb",
           "URIs: http://one.invalid/debian"]
    security = ["Components: main", "Suites: bookworm-security", "Types: deb",
                "URIs: http://one.invalid/security"]
    backports = [line.replace("Suites: bookworm", "Suites: bookworm-backports") for line in one]
    equal(found(), [one, security, backports], "of one line each")

    # Stanzas; a key in full is taken whole, a disabled one not at all.
    os.unlink(os.path.join(etc, "sources.list"))
    write("sources.list.d/debian.sources", """\
Types: deb deb-src
# a mirror nearby
URIs: https://two.invalid/debian
Suites: bookworm bookworm-updates bookworm-backports
Components: main
Signed-By:
 -----BEGIN PGP PUBLIC KEY BLOCK-----
 .
 mQ

Enabled: no
Types: deb
URIs: https://three.invalid/debian
Suites: bookworm
Components: main
""")
    stanza, = found()
    for line in ("URIs: https://two.invalid/debian", " -----BEGIN PGP PUBLIC KEY BLOCK-----", " mQ",
                 "Suites: bookworm bookworm-updates bookworm-backports", "Types: deb"):
        check(line in stanza, f"{line!r} is not in {stanza}")


support.run_test(mirrors)
