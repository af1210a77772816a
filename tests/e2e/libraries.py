#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a picture or a page of metrics alone needs is loaded by these, and not by every verb and by the
process of a set, which locks into memory what it has loaded."""

import product
import support
from support import check

# Cairo brings X11 with it, libmicrohttpd GnuTLS. OpenSSL was a quarter of what a short verb executes.
LOADED_AT_NEED = ("libcairo", "libX11", "libmicrohttpd", "libcrypto")


def libraries(t):
    linked = support.run("ldd", support.DMREMAP).out
    check(not any(name in linked for name in LOADED_AT_NEED), f"linked: {linked}")
    dm = product.Product(t, t.image("main", "16MiB"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    cairo = support.run("sh", "-c", "ldconfig -p | sed -n 's/.*libcairo.so.2 .*=> //p'").out.split()
    check(cairo, "there is no Cairo here")
    # As on a machine without it.
    hidden = "; ".join(f"mount --bind /dev/null {path}" for path in cairo)
    missing = support.run("unshare", "-m", "sh", "-ec", f'{hidden}; exec "$@"', "sh", support.DMREMAP,
                          "map", dm.name, "--png", t.path("picture.png"), expect=1)
    check("libcairo.so.2" in missing.err and "libcairo2" in missing.err, missing.err)
    support.run("unshare", "-m", "sh", "-ec", f'{hidden}; exec "$@"', "sh", support.DMREMAP, "map", dm.name)
    dm.run("map", dm.name, "--png", t.path("picture.png"))


support.run_test(libraries, root=True)
