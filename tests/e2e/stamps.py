# SPDX-License-Identifier: GPL-2.0-or-later
"""A writer that knows what was acknowledged. Run as a program, it writes 4 KiB blocks in random
order until the device fails, and logs what it was told: one line before a write, one after.

Every sector of a block carries its own number and the number of the write, so that a sector of
another place or time is seen; a write that was never acknowledged may have reached any subset of
its sectors."""

import os
import random
import struct
import sys

import support

BLOCK_SECTORS = 8
_STAMP = struct.Struct("<8sQQ")
_MAGIC = b"dmrstamp"


def block_of(first_sector, number):
    """The 4 KiB of write `number` at `first_sector`."""
    sectors = []
    for sector in range(first_sector, first_sector + BLOCK_SECTORS):
        stamp = _STAMP.pack(_MAGIC, sector, number)
        filler = random.Random(sector * 1_000_003 + number).randbytes(512 - len(stamp))
        sectors.append(stamp + filler)
    return b"".join(sectors)


def number_of(sector, data):
    """Which write a sector holds; None if it is not whole or not of this place."""
    magic, at, number = _STAMP.unpack_from(data)
    if magic != _MAGIC or at != sector:
        return None
    filler = random.Random(sector * 1_000_003 + number).randbytes(512 - _STAMP.size)
    return number if data[_STAMP.size:] == filler else None


class Acknowledged:
    """What the logs say: per block, the last acknowledged write and those in doubt after it."""

    def __init__(self):
        self._last = {}
        self._doubt = {}

    def read(self, log):
        """Takes in a writer's log."""
        with open(log, encoding="ascii") as file:
            for line in file:
                if not line.endswith("\n"):
                    break  # the last line of a writer that was killed
                what, block, number = line.split()
                block, number = int(block), int(number)
                if what == "try":
                    self._doubt.setdefault(block, []).append(number)
                else:
                    self._last[block] = number
                    self._doubt[block] = []

    def __len__(self):
        return len(self._last)

    def verify(self, device):
        """Fails if any block holds anything but its last acknowledged write, or sectors of one in
        doubt. What is found is then what later reads must find."""
        for block, number in sorted(self._last.items()):
            first = block * BLOCK_SECTORS
            data = support.read_sectors(device, first, BLOCK_SECTORS)
            allowed = {number, *self._doubt.get(block, [])}
            for i in range(BLOCK_SECTORS):
                found = number_of(first + i, data[i * 512:(i + 1) * 512])
                support.check(found in allowed,
                              f"sector {first + i}: acknowledged write {number}, in doubt "
                              f"{self._doubt.get(block, [])}, found {found}")


def write_until_it_fails(device, log, first_block, blocks, first_number, seed):
    chosen = random.Random(seed)
    number = first_number
    with open(log, "a", encoding="ascii", buffering=1) as lines:
        while True:
            block = first_block + chosen.randrange(blocks)
            lines.write(f"try {block} {number}\n")
            try:
                support.write_sectors(device, block * BLOCK_SECTORS,
                                      block_of(block * BLOCK_SECTORS, number))
            except OSError:
                return
            lines.write(f"ack {block} {number}\n")
            number += 1


if __name__ == "__main__":
    write_until_it_fails(sys.argv[1], sys.argv[2], *(int(a) for a in sys.argv[3:7]))
