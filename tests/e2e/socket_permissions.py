#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Only its owner talks to a running set: the runtime directory is 0700, the socket 0600. What it
does not understand it answers, and it lives on."""

import os
import socket
import stat

import product
import support
from support import check, equal


def _mode(path):
    return oct(stat.S_IMODE(os.stat(path).st_mode))


def _say(path, data):
    """What the daemon answers; empty if it hangs up."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as talk:
        talk.settimeout(300)
        talk.connect(path)
        try:
            talk.sendall(data)
            talk.shutdown(socket.SHUT_WR)
            return talk.recv(65536)
        except (BrokenPipeError, ConnectionResetError):
            return b""


def socket_permissions(t):
    dm = product.Product(t, t.image("main.img", "32MiB"), t.path("spare"))
    dm.create("--spare-size", "16MiB")
    os.umask(0)
    dm.start("fuse")
    equal(_mode(t.runtime_dir), "0o700", "mode of the runtime directory")
    path = os.path.join(t.runtime_dir, f"{dm.name}.sock")
    check(stat.S_ISSOCK(os.stat(path).st_mode), "it is a socket")
    equal(_mode(path), "0o600", "mode of the socket")

    for nonsense in (b"", b"\n", b"no json\n", b"{}\n", b'{"version": 999, "verb": "status"}\n',
                     b"[" * 100_000 + b"\n", b"x" * 4_000_000, bytes(range(256)) + b"\n"):
        _say(path, nonsense)
        equal(dm.status()["state"], "healthy", f"state after {nonsense[:20]!r}")


support.run_test(socket_permissions, root=True, fuse=True)
