#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""`start` without --export serves by NBD where there is no FUSE."""

import product
import support
from support import check


def auto_without_fuse(t):
    dm = product.Product(t, t.image("main.img", "16MiB"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    # A name space of its own, in which the device is something that cannot be opened.
    hidden = t.path("nothing")
    done = support.run(
        "unshare", "--mount", "sh", "-c",
        'if [ -e /dev/fuse ]; then '
        'python3 -c "import socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])" "$1"; '
        'mount --bind "$1" /dev/fuse; fi; exec "$2" start "$3"',
        "sh", hidden, support.DMREMAP, dm.name)
    check(product.socket_of(done.out.strip()), f"served by NBD: {done}")
    dm.stop()


support.run_test(auto_without_fuse, root=True, programs=["nbdkit", "unshare"])
