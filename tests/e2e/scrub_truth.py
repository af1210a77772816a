#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A disk that dies: sectors that never read, sectors that read at times, slow ones, and each pass of the
scan more of them. What the scan says that it lost, saved and found slow is what is wrong with the disk,
sector by sector, and what was saved is what was there."""

import errno
import random

import product
import support
from support import MIB, SECTOR, check, equal, equal_bytes

SIZE = 192 * MIB // SECTOR
SEGMENT = MIB // SECTOR
DYING = (3, 60, 128, 190)  # megabytes
SLOW = (SIZE // 2 + 40, 8)


def _sectors(ranges):
    return {sector for first, count in ranges for sector in range(first, first + count)}


def _truth(disk):
    """By kind, the sectors that the lab itself lists: dead ones, flaky ones, slow ones."""
    dead, flaky, slow = set(), set(), set()
    for run in disk.show()["faults"]:
        inside = _sectors([(run["sector"], run["count"])])
        reads = any(kind.split(":")[0] == "read" for kind in run["kinds"])
        at_times = any(kind.startswith("flaky") for kind in run["kinds"])
        if any(kind.startswith("slow") for kind in run["kinds"]):
            slow |= inside
        if reads:
            (flaky if at_times else dead).update(inside)
    return dead, flaky, slow


def _known(dm):
    """By state, the sectors that the set lists."""
    found = {"lost": set(), "remapped": set(), "suspect": set()}
    for one in dm.run("map", dm.name, "--json").json()["ranges"]:
        found[one["state"]] |= _sectors([(one["sector"], one["count"])])
    return found


def _pass(dm):
    before = dm.status()["scrub"]
    dm.run("scrub", dm.name, "start", "--now")

    def over():
        scrub = dm.status()["scrub"]
        return scrub["passes"] > before["passes"] and scrub["state"] == "idle"
    support.wait_until(over, "the end of the pass")
    after = dm.status()["scrub"]["found"]
    return {kind: after[kind] - before["found"][kind] for kind in after}


def _place(dice):
    """A place of its own: one of a megabyte each, some of them across its end."""
    taken = {*DYING, SLOW[0] // SEGMENT}
    for at in dice.sample([at for at in range(1, SIZE // SEGMENT - 1) if at not in taken], 60):
        yield at * SEGMENT + dice.choice((0, 700, 1301, SEGMENT - 5))


def _dying_area(disk, segment):
    """A dead block and around it half a megabyte that fails one request in eight: the read of all of it
    fails, and of what is then read block by block most reads, and some only when asked again."""
    first = segment * SEGMENT + SEGMENT // 4
    disk.fault("read+flaky:0.12", f"{first}+{SEGMENT // 2}")
    disk.clear(f"{first + SEGMENT // 4}+8")
    disk.fault("read:ENODATA", f"{first + SEGMENT // 4}+8")
    return first, SEGMENT // 2


def _first_pass(disk, dm, dice, places):
    """Returns the areas that are dying."""
    disk.fault("slow:600", f"{SLOW[0]}+{SLOW[1]}")
    for _ in range(25):
        disk.fault("read:ENODATA", f"{next(places)}+{dice.randint(1, 12)}")
    dying = [_dying_area(disk, segment) for segment in DYING]
    found = _pass(dm)
    dead, flaky, slow = _truth(disk)
    known = _known(dm)
    check(dead <= known["lost"], f"dead and not known: {sorted(dead - known['lost'])}")
    check(known["lost"] - dead <= flaky, "what is lost besides is flaky")
    check(known["remapped"] <= flaky, "what was saved was flaky")
    check(known["remapped"], "some of it was saved")
    equal(known["suspect"], slow, "slow")
    equal(found, {"lost": len(known["lost"]), "recovered": len(known["remapped"]),
                  "slow": len(slow), "mended_slots": 0}, "what the pass says")
    return dying, known


def _second_pass(disk, dm, dice, places, dying, known_before):
    """The dying areas are dead, what was dead has grown, and there is more of it; the slow block is fast
    again, which no read of it can tell from luck."""
    disk.clear(f"{SLOW[0]}+{SLOW[1]}")
    for run in disk.show()["faults"]:
        if "read:ENODATA" in run["kinds"]:
            disk.fault("read", f"{run['sector'] + run['count']}+{dice.randint(1, 9)}")
    for first, count in dying:
        disk.clear(f"{first}+{count}")
        disk.fault("read", f"{first}+{count}")
    for _ in range(15):
        disk.fault("read", f"{next(places)}+{dice.randint(1, 40)}")
    found = _pass(dm)
    dead, flaky, _ = _truth(disk)
    equal(flaky, set(), "flaky")
    known = _known(dm)
    equal(known["remapped"], known_before["remapped"], "what was saved stays saved")
    equal(known["lost"], dead - known["remapped"], "all that is dead is known, and nothing else")
    equal(known["suspect"], known_before["suspect"], "what was slow is still suspect")
    equal((found["lost"], found["recovered"]),
          (len(known["lost"]) - len(known_before["lost"]), 0), "what the pass says")
    status = dm.status()
    equal((status["lost_sectors"], status["remapped_sectors"], status["suspect_sectors"]),
          (len(known["lost"]), len(known["remapped"]), SLOW[1]), "the set says it too")
    return known


def _serves_the_rest(device, image, lost):
    """All that is not lost is what it was; what is lost fails."""
    with open(image, "rb") as file:
        at = 0
        for stop in [*sorted(lost), SIZE]:
            while at < stop:
                count = min(stop - at, SEGMENT)
                file.seek(at * SECTOR)
                equal_bytes(support.read_sectors(device, at, count), file.read(count * SECTOR),
                            f"{at}+{count}")
                at += count
            at = stop + 1
    for sector in sorted(lost)[::20]:
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector)


def scrub_truth(t):
    image = t.random_file("main.img", SIZE * SECTOR)
    disk = t.lab(image=image)
    dm = product.Product(t, disk.path, t.path("spare"))
    dm.create("--spare-size", "32MiB")
    device = dm.start("block")
    dice = random.Random(13)
    places = _place(dice)
    dying, known = _first_pass(disk, dm, dice, places)
    known = _second_pass(disk, dm, dice, places, dying, known)
    _serves_the_rest(device, image, known["lost"])
    equal(_pass(dm)["lost"], 0, "a pass that finds nothing new")


support.run_test(scrub_truth, root=True, fuse=True, loop=True)
