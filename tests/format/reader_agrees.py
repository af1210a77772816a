#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""tools/read-metadata and `examine` say the same of spares that are damaged at random: bytes
flipped, blocks zeroed, slots moved, copies of another time or another set, seals and bodies that are
wrong under right checksums."""

import random

import golden
import seals
import support
from seals import reader
from support import check, equal

ROUNDS = 40
BLOCK = reader.BLOCK


def _place(dice):
    """Byte offset of some slot."""
    return dice.choice(seals.copy_offsets(16 * support.MIB)) + dice.randrange(2) * seals.SLOT_BYTES


def flip_in_seal(dice, image, _):
    image[_place(dice) + dice.randrange(BLOCK)] ^= 1 << dice.randrange(8)


def flip_in_body(dice, image, _):
    image[_place(dice) + BLOCK + dice.randrange(3 * BLOCK)] ^= 1 << dice.randrange(8)


def zero_block(dice, image, _):
    at = _place(dice) + dice.randrange(4) * BLOCK
    image[at:at + BLOCK] = bytes(BLOCK)


def move_slot(dice, image, _):
    source, target = _place(dice), _place(dice)
    image[target:target + seals.SLOT_BYTES] = image[source:source + seals.SLOT_BYTES]


def take_copy(dice, image, other):
    at = dice.choice(seals.copy_offsets(len(image)))
    image[at:at + seals.COPY_BYTES] = other[at:at + seals.COPY_BYTES]


def seal_again(dice, image, _):
    """A field of a seal that is wrong under a right checksum."""
    seal = _place(dice)
    field = dice.choice((8, 12, 32, 40, 56, 72, 73, 74, 75, 80, 88, 96, 160, 168, 176, 192, 208, 216,
                         220, 300))
    image[seal + field] ^= 1 << dice.randrange(8)
    seals.reseal(image, seal)


def body_again(dice, image, _):
    """A field of a body that is wrong under right checksums of all levels."""
    seal = _place(dice)
    blocks = int.from_bytes(image[seal + 216:seal + 220], "little")
    if image[seal:seal + 8] != b"dm-remap" or blocks > 8:
        return
    # Header, counters and events, identity, configuration, table: in the stream.
    first, length = dice.choice(((0, 420), (768, 640), (4080, 1536), (5616, 20), (8160, 96)))
    image[seals.body_place(seal, first + dice.randrange(length))] ^= 1 << dice.randrange(8)
    seals.reseal_body(image, seal)


def kill_copies(dice, image, _):
    for at in dice.sample(seals.copy_offsets(len(image)), dice.randrange(1, 8)):
        image[at:at + seals.COPY_BYTES] = b"\xff" * seals.COPY_BYTES


DAMAGE = (flip_in_seal, flip_in_body, zero_block, move_slot, take_copy, seal_again, body_again,
          kill_copies)


def _unpacked(t, name):
    with open(golden.images()[f"1/{name}"].unpack(t), "rb") as file:
        return bytearray(file.read())


def _answer(done):
    return done.exit, done.json() if done.out else None


def reader_agrees(t):
    healthy = _unpacked(t, "healthy")
    others = [_unpacked(t, name) for name in ("foreign-copy", "orphan", "fork", "full-table")]
    exits = set()
    for round_number in range(ROUNDS):
        dice = random.Random(round_number)
        image = bytearray(healthy)
        steps = [dice.choice(DAMAGE) for _ in range(dice.randrange(1, 9))]
        for step in steps:
            step(dice, image, dice.choice(others))
        # As it was, and seen on a larger device than it was made on.
        path = t.path("damaged.img")
        with open(path, "wb") as file:
            file.write(image)
            file.truncate(len(image) + dice.choice((0, 0, 0, 3 * support.MIB)))
        product = support.dmremap("examine", "--json", path, expect=None)
        reader = golden.read_metadata(path, expect=None)
        equal(_answer(reader), _answer(product),
              f"round {round_number}, {[step.__name__ for step in steps]}: read-metadata")
        exits.add(product.exit)
    check({1, 4} <= exits or {3, 4} <= exits, f"the rounds differ in how they end: {exits}")


support.run_test(reader_agrees)
