# SPDX-License-Identifier: GPL-2.0-or-later
"""Which sectors go bad, and when. The plan is made once, from the image, before either lane starts:
both lanes get the same sectors at the same points of the same work."""

import random
from dataclasses import dataclass, field

from disk import SECTORS_PER_BLOCK
from support import KIB

# What is dead: it neither reads nor writes, as on a disk whose firmware has no spares left.
DEAD = "read+write"
# The same, after the long retries of a drive that does not give up (7 to 60 s on a real one).
DEAD_SLOWLY = "read+write+slow:400"
UNWRITABLE = "write"
# A pending sector: unreadable until something writes it.
PENDING = "read+until-written"


@dataclass
class Plan:
    """Each fault is (kind, range)."""
    lost_file: str = ""       # a dead sector in it, never written again: nobody can save it
    rewritten_file: str = ""  # a dead sector in it, and then written in place
    deleted_file: str = ""    # a dead sector in it, and then deleted
    used: list = field(default_factory=list)
    free: list = field(default_factory=list)
    burst: list = field(default_factory=list)
    under_fio: list = field(default_factory=list)
    journal: list = field(default_factory=list)

    def count(self):
        return sum(len(f) for f in (self.used, self.free, self.burst, self.under_fio,
                                    self.journal))


def plan(disk, seed=20):
    chosen = random.Random(seed)
    made = Plan()
    _plan_used(made, disk, chosen)
    _plan_free(made, disk, chosen)
    _plan_fio(made, disk, chosen)
    # Metadata goes through the journal: one dead block in each 1 MiB of it is sure to be met.
    blocks = disk.blocks("<8>")
    made.journal = [(DEAD, _range(block, SECTORS_PER_BLOCK)) for block in blocks[128::256]]
    return made


def _range(block, count, offset=0):
    return f"{block * SECTORS_PER_BLOCK + offset}+{count}"


def _plan_used(made, disk, chosen):
    """Three files lose one sector each."""
    large = sorted(p for p, size in disk.sizes.items() if 64 * KIB <= size <= 1024 * KIB)
    made.lost_file, made.rewritten_file, made.deleted_file = chosen.sample(large, 3)
    for path in (made.lost_file, made.rewritten_file, made.deleted_file):
        blocks = disk.blocks(path)
        # Not the last block: the end of the file need not reach into its last sectors.
        made.used.append((DEAD_SLOWLY, _range(blocks[len(blocks) // 2], 1, offset=3)))


def _plan_free(made, disk, chosen):
    """Where files will be written: a bad place about every 4 MiB, in turn a single sector, a whole
    block, and a pending sector."""
    number = 0
    step = 1024
    for first, count in disk.free_runs():
        for at in range(first, first + count, step):
            block = at + chosen.randrange(min(step, first + count - at))
            made.free.append([(DEAD, _range(block, 1, offset=chosen.randrange(8))),
                              (UNWRITABLE, _range(block, SECTORS_PER_BLOCK)),
                              (PENDING, _range(block, 1))][number % 3])
            number += 1


def _plan_fio(made, disk, chosen):
    """Write errors only: what fio wrote before the fault came must stay readable."""
    blocks = disk.blocks("fio.dat")
    start = len(blocks) // 3
    # A scratch of the head: 200 neighbours, from the middle of one block on.
    made.burst = [(UNWRITABLE, _range(blocks[start], 200, offset=4))]
    made.under_fio = [(UNWRITABLE, _range(block, 1, offset=chosen.randrange(8)))
                      for block in chosen.sample(blocks[len(blocks) // 2:], 12)]
