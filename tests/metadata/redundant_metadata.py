#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Corrupts the metadata of a spare in every way that is known to happen and compares what
`dmremap examine`, `check` and `repair` say with what they should.

    tests/metadata/redundant_metadata.py                    a set made for the purpose
    tests/metadata/redundant_metadata.py SPARE [OLDER]      an image of your own, stopped and sound,
                                                            and an older image of the same spare

Ahead of these, --part N/OF runs one of OF parts of the cases.

Works on copies; the images given are only read. Each case is a corruption of one copy, of several,
or of all but one; what is expected of it is worked out here, from the format page, not by the
program under test."""

import os
import random
import shutil
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import product  # noqa: E402
import seals  # noqa: E402
import support  # noqa: E402
from support import check, equal  # noqa: E402

COPIES = range(8)
BLOCK = 4096
SEAL_CRC = 508
BODY_CRC = 220


class Spare:
    """A sound spare: where its slots are, which generation each column holds."""

    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = file.read()
        examined = support.dmremap("examine", path, "--json", expect=(0, 4)).json()
        copies = examined["devices"][0]["copies"]
        self.winner = examined["winner"]
        self.set = examined["set"]
        self.at = {(c["index"], "AB".index(s["slot"])): c["sector"] * support.SECTOR
                   + "AB".index(s["slot"]) * seals.SLOT_BYTES
                   for c in copies for s in c["slots"]}
        self.verdict = {(c["index"], "AB".index(s["slot"])): s["verdict"]
                        for c in copies for s in c["slots"]}
        check(set(self.verdict.values()) == {"good", "stale"}, "the image to start from is sound")
        self.column = "AB".index("B" if int(self.winner["sequence"]) % 2 else "A")

    def body_bytes(self, slot):
        start = self.at[slot] + 216
        return int.from_bytes(self.bytes[start:start + 4], "little") * BLOCK


class Case:
    """A corruption: `spoil` changes a bytearray, `verdicts` is what then is where something
    changed; what is not settled might hide a later commit."""

    def __init__(self, name, spoil, verdicts, unsettled=None, size=None):
        self.name, self.spoil, self.verdicts, self.size = name, spoil, verdicts, size
        self.unsettled = set(verdicts if unsettled is None else unsettled)


def _both(copies):
    return [(copy, slot) for copy in copies for slot in (0, 1)]


def _fill(spare, slots, offset, length, byte):
    def spoil(image):
        for slot in slots:
            image[spare.at[slot] + offset:spare.at[slot] + offset + length] = bytes([byte]) * length
    return spoil


def _flip(spare, slots, offset_of, bit):
    def spoil(image):
        for slot in slots:
            image[spare.at[slot] + offset_of(slot)] ^= 1 << bit
    return spoil


def _move(spare, source, target):
    """The bytes of one slot where another belongs."""
    def spoil(image):
        start, end = spare.at[source], spare.at[target]
        image[end:end + seals.SLOT_BYTES] = spare.bytes[start:start + seals.SLOT_BYTES]
    return spoil


def _copy_in(spare, slots, other):
    """The same places of another image."""
    def spoil(image):
        for slot in slots:
            at = spare.at[slot]
            image[at:at + seals.SLOT_BYTES] = other[at:at + seals.SLOT_BYTES]
    return spoil


def _all(*spoils):
    def spoil(image):
        for one in spoils:
            one(image)
    return spoil


def cases_of(spare, copies, how_many, rng, older, foreign):
    """Every kind of corruption of these copies."""
    slots = _both(copies)
    seal_byte = rng.randrange(512)
    rest_byte = rng.randrange(512, BLOCK)
    bit = rng.randrange(8)
    in_body = {slot: BLOCK + rng.randrange(spare.body_bytes(slot)) for slot in slots}
    behind = max(spare.body_bytes(slot) for slot in slots)

    def named(text):
        return f"{how_many}: {text}"

    yield Case(named("a bit of the seals flipped"),
               _flip(spare, slots, lambda _: seal_byte, bit), dict.fromkeys(slots, "corrupt"))
    yield Case(named("a bit behind the seals flipped"),
               _flip(spare, slots, lambda _: rest_byte, bit), dict.fromkeys(slots, "corrupt"))
    yield Case(named("a bit of the bodies flipped"),
               _flip(spare, slots, lambda slot: in_body[slot], bit), dict.fromkeys(slots, "torn"),
               unsettled=())
    if behind + BLOCK < seals.SLOT_BYTES:
        yield Case(named("a bit that no commit uses flipped"),
                   _flip(spare, slots, lambda _: behind + BLOCK, bit), {})
    yield Case(named("seals zeroed"), _fill(spare, slots, 0, BLOCK, 0),
               dict.fromkeys(slots, "empty"))
    yield Case(named("copies zeroed"), _fill(spare, slots, 0, seals.SLOT_BYTES, 0),
               dict.fromkeys(slots, "empty"))
    yield Case(named("bodies zeroed"), _fill(spare, slots, BLOCK, seals.SLOT_BYTES - BLOCK, 0),
               dict.fromkeys(slots, "torn"), unsettled=())
    yield Case(named("copies overwritten"), _fill(spare, slots, 0, seals.SLOT_BYTES, 0xA5),
               dict.fromkeys(slots, "corrupt"))
    yield Case(named("checksums of the seals alone"),
               _flip(spare, slots, lambda _: SEAL_CRC + seal_byte % 4, bit),
               dict.fromkeys(slots, "corrupt"))
    yield Case(named("checksums of the blocks alone"),
               _flip(spare, slots, lambda _: BLOCK + seal_byte % 4, bit),
               dict.fromkeys(slots, "torn"), unsettled=())
    yield Case(named("checksums of the bodies alone, under right seals"),
               _resealed(spare, slots, seal_byte % 4, bit), dict.fromkeys(slots, "torn"),
               unsettled=())
    yield Case(named("slots A and B swapped"),
               _all(*[_move(spare, (copy, slot), (copy, 1 - slot)) for copy, slot in slots]),
               dict.fromkeys(slots, "misplaced"))
    others = {copy: (copy + 1) % len(COPIES) for copy in copies}
    yield Case(named("each the bytes of its neighbour"),
               _all(*[_move(spare, (others[copy], slot), (copy, slot)) for copy, slot in slots]),
               dict.fromkeys(slots, "misplaced"))
    yield Case(named("of another set"), _copy_in(spare, slots, foreign),
               dict.fromkeys(slots, "foreign"))
    if older is not None:
        yield Case(named("old copies replayed"), _copy_in(spare, slots, older),
                   dict.fromkeys(slots, "stale"), unsettled=())


def _resealed(spare, slots, byte, bit):
    flip = _flip(spare, slots, lambda _: BODY_CRC + byte, bit)

    def spoil(image):
        flip(image)
        for slot in slots:
            seals.reseal(image, spare.at[slot])
    return spoil


def truncations(spare):
    """A spare that lost its end, if it is still large enough for one; what is beyond cannot be
    read."""
    for first in (6, 7):
        if spare.at[(first, 0)] < 16 * support.MIB:
            continue
        yield Case(f"truncated before copy {first}", lambda image: None,
                   dict.fromkeys(_both(range(first, 8)), "unreadable"), size=spare.at[(first, 0)])


def is_quorum(copies):
    near = len([copy for copy in copies if copy < 5])
    far = len(copies) - near
    return (near >= 3 and far >= 1) or far == 3


def is_writable(case):
    return not any(is_quorum({copy for copy, slot in case.unsettled if slot == column})
                   for column in (0, 1))


def holders(spare, case):
    """Copies that still hold the winner."""
    return [copy for copy in COPIES if (copy, spare.column) not in case.verdicts]


def examined(path, exits):
    done = support.dmremap("examine", path, "--json", expect=exits)
    return done.exit, done.json()


def run_case(t, spare, case):
    """Lays the corruption down and compares every verdict."""
    path = t.path("case.img")
    image = bytearray(spare.bytes)
    case.spoil(image)
    with open(path, "wb") as file:
        file.write(image[:case.size])
    _, seen = examined(path, (0, 1, 4))
    if "another set" in case.name and is_quorum({copy for copy, _ in case.verdicts}):
        # That many copies prove that the other set is there: whose main this is not.
        check(seen["set"]["uuid"] != spare.set["uuid"], f"{case.name}: theirs")
        return
    if not holders(spare, case):
        # Nothing of the latest commit is left whole: it is never forgotten in silence.
        check(seen["winner"] is None or not seen["winner"]["writable"] or is_replay(case),
              f"{case.name}: no earlier commit in charge")
        return
    for copy in seen["devices"][0]["copies"]:
        for slot in copy["slots"]:
            key = (copy["index"], "AB".index(slot["slot"]))
            where = f"{case.name}: copy {key[0]} slot {slot['slot']}"
            equal(slot["verdict"], case.verdicts.get(key, spare.verdict[key]), where)
            equal(slot["settled"], key not in case.unsettled, f"{where}, settled")
    equal(seen["winner"]["commit"], spare.winner["commit"], f"{case.name}: winner")
    equal(seen["winner"]["writable"], is_writable(case), f"{case.name}: writable")
    if case.size is None:
        mend(spare, case, path, image)


def is_replay(case):
    return "replayed" in case.name


def mend(spare, case, path, image):
    """What `check` and `repair` make of it."""
    damaged = bool(case.verdicts)
    equal(support.dmremap("check", path, "--json", expect=(0, 4)).json()["sound"], not damaged,
          f"{case.name}: sound")
    if not is_writable(case):
        support.dmremap("repair", path, expect=3).one_line_error()
        with open(path, "rb") as file:
            check(file.read() == bytes(image), f"{case.name}: a doubtful set is not written to")
        return
    wanted = support.dmremap("repair", path, "--dry-run", "--json").json()["slots"]
    check(all(not slot["mended"] for slot in wanted), f"{case.name}: a dry run mends nothing")
    done = support.dmremap("repair", path, "--json").json()
    equal([dict(slot, mended=True) for slot in wanted], done["slots"], f"{case.name}: mended")
    _, after = examined(path, (0, 4))
    verdicts = {slot["verdict"] for copy in after["devices"][0]["copies"] for slot in copy["slots"]}
    equal(verdicts, {"good", "stale"}, f"{case.name}: after repair")
    equal(support.dmremap("check", path, "--json", expect=(0, 4)).json()["sound"], True,
          f"{case.name}: sound after repair")
    if done["committed"] is None:
        equal(after["winner"]["commit"], spare.winner["commit"], f"{case.name}: the same winner")
    os.unlink(path)


def own_spare(t):
    """(spare, an older image of it, the bytes of another set's spare)"""
    main = t.image("main.img", "16MiB", fill=1)
    dm = product.Product(t, main, t.path("spare.img"))
    dm.create("--spare-size", "24MiB")
    older = t.path("older.img")
    for sectors in ("2048+64", "4096+8"):
        dm.start("fuse", by_devices=True)
        dm.run("remap", dm.name, sectors)
        dm.stop()
        if not os.path.exists(older):
            shutil.copy(dm.spare, older)
    return dm.spare, older


def foreign_bytes(t, size):
    main = t.image("foreign-main.img", "16MiB")
    other = product.Product(t, main, t.path("foreign.img"))
    other.create("--spare-size", str(size))
    with open(other.spare, "rb") as file:
        return file.read()


def read(path):
    with open(path, "rb") as file:
        return file.read()


def all_cases(spare, older, foreign):
    rng = random.Random(2026)
    for how_many, copies in (("one copy", [rng.randrange(8)]),
                             ("several copies", sorted(rng.sample(COPIES, 3))),
                             ("the near region", [0, 1, 2, 3, 4]),
                             ("the far copies", [5, 6, 7]),
                             ("all but one", sorted(rng.sample(COPIES, 7))),
                             ("all", list(COPIES))):
        yield from cases_of(spare, copies, how_many, rng, older, foreign)
    yield from truncations(spare)


def redundant_metadata(t):
    given = sys.argv[1:]
    part, parts = 0, 1
    if given[:1] == ["--part"]:
        part, parts = (int(number) for number in given[1].split("/"))
        part, given = part - 1, given[2:]
    path, older = (given + [None])[:2] if given else own_spare(t)
    spare = Spare(path)
    cases = list(all_cases(spare, read(older) if older else None,
                           foreign_bytes(t, len(spare.bytes))))
    check(given or len(cases) >= 80, f"only {len(cases)} cases")
    for case in cases[part::parts]:
        run_case(t, spare, case)
    print(f"{len(cases[part::parts])} of {len(cases)} corruptions of {spare.set['name']}: each as "
          "expected")


if __name__ == "__main__":
    support.run_test(redundant_metadata, fuse=True)
