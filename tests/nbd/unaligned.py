#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Requests that are no whole blocks of main change exactly their bytes, also when many go at once to
the same block."""

import random
import threading

import nbd_client
import product
import support
from support import MIB, equal, equal_bytes


def _random_requests(disk, rounds):
    model = bytearray(disk.read(0, 4 * MIB))
    chosen = random.Random(3)
    for _ in range(rounds):
        length = chosen.choice((1, 3, 511, 512, 700, 4096, 5000, 300_000))
        offset = chosen.randrange(len(model) - length)
        if chosen.random() < 0.5:
            equal_bytes(disk.read(offset, length), bytes(model[offset:offset + length]), "read")
            continue
        data = chosen.randbytes(length)
        if chosen.random() < 0.2:
            data = bytes(length)
            disk.zero(offset, length)
        else:
            disk.write(offset, data, fua=chosen.random() < 0.2)
        model[offset:offset + length] = data
    equal_bytes(disk.read(0, len(model)), bytes(model), "in the end")


def _one_byte_each(socket, count):
    """Each writes one byte of the same block again and again, and sees its own."""
    wrong = []

    def work(index):
        with nbd_client.Client(socket) as disk:
            for number in range(100):
                disk.write(8 * MIB + index, bytes([number]))
                if disk.read(8 * MIB + index, 1) != bytes([number]):
                    wrong.append((index, number))

    threads = [threading.Thread(target=work, args=(index,)) for index in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    equal(wrong, [], "bytes that another write took back")


def unaligned(t):
    image = t.image("main.img", "16MiB", fill="old")
    loop = support.run("losetup", "--find", "--show", "--sector-size=4096", image).out.strip()
    t.cleanup.push(support.detach_loop, loop)
    for main, unit in ((loop, 4096), (t.image("other.img", "16MiB", fill="old"), 512)):
        dm = product.Product(t, main, t.path(f"spare{unit}"))
        dm.create("--spare-size", "16MiB")
        dm.start("nbd")
        socket = product.socket_of(dm.device)
        with nbd_client.Client(socket) as disk:
            equal(disk.block_sizes[0], unit, "smallest block")
            _random_requests(disk, 400)
        _one_byte_each(socket, 6)
        dm.stop()


support.run_test(unaligned, root=True, loop=True, programs=["nbdkit"])
