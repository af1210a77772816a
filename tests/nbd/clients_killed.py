#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that are killed under load, with many requests in flight, are their own misfortune: the set
serves everybody else on. The same for nbdkit by hand, and for a client that hangs up at its first
error. (nbdkit before 1.33.10 ends by an assertion there if a connection has several threads.)"""

import os
import random
import subprocess
import sys
import time

import nbd_client
import product
import support
from support import check, equal_bytes, pattern

KILLS = 100
# Sends requests as fast as the socket takes them and never reads an answer to the end.
_LOAD = """
import socket, struct, sys
sys.path.insert(0, sys.argv[2])
import nbd_client
client = nbd_client.Client(sys.argv[1])
print("connected", flush=True)
handle = 0
while True:
    out = b""
    for i in range(32):
        handle += 1
        offset = handle * 4096 % (16 << 20)
        out += struct.pack(">IHHQQI", 0x25609513, 0, 0, handle, offset, 65536)
        out += struct.pack(">IHHQQI", 0x25609513, 0, 1, handle, offset, 4096) + bytes(4096)
    client.socket.sendall(out)
    client.socket.recv(65536)
"""


def kill_clients(socket, count, dice):
    for _ in range(count):
        client = subprocess.Popen([sys.executable, "-c", _LOAD, socket,
                                   os.path.dirname(nbd_client.__file__)],
                                  stdout=subprocess.PIPE, text=True)
        check(client.stdout.readline() == "connected\n", "a client cannot connect")
        time.sleep(dice.uniform(0, 0.05))
        client.kill()
        client.communicate()


def clients_killed(t):
    disk = t.lab(size="32MiB", fill=1)
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "16MiB")
    dm.start("nbd")
    pid = dm.status()["pid"]
    socket = product.socket_of(dm.device)
    disk.fault("read", "1000+8")
    dice = random.Random(1)
    with nbd_client.Client(socket) as witness:
        kill_clients(socket, KILLS, dice)
        for _ in range(5):
            # It hangs up at the first error, with the answers to its other requests on their way.
            copied = support.run("nbdcopy", "--connections=1", dm.device, "null:", expect=None)
            check(copied.exit != 0, f"a copy over a lost sector: {copied}")
        data = pattern(0, 8, "still there")
        witness.write(24 << 20, data)
        equal_bytes(witness.read(24 << 20, len(data)), data, "what the witness wrote")
    check(dm.status()["pid"] == pid, "another process serves")
    support.wait_until(lambda: dm.run("stop", dm.name, expect=None).exit == 0, "stop")

    # The plain plugin.
    where = t.path("by-hand.sock")
    server = subprocess.Popen(["nbdkit", "--foreground", "--unix", where, support.NBDKIT_PLUGIN,
                               dm.name], stderr=subprocess.DEVNULL)
    t.cleanup.push(server.wait)
    t.cleanup.push(server.kill)
    support.wait_until(lambda: os.path.exists(where), "nbdkit by hand")
    kill_clients(where, KILLS // 4, dice)
    check(server.poll() is None, f"nbdkit by hand ended with {server.poll()}")
    support.wait_until(lambda: dm.run("stop", dm.name, expect=None).exit == 0, "stop by hand")


support.run_test(clients_killed, root=True, fuse=True, programs=["nbdkit", "nbdcopy"])
