#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""table prints a dmsetup table that gives what the set gives, sector by sector, errors too; running
or from the devices alone, and the same as tools/dmsetup-table."""

import errno
import os

import dm_table
import product
import support
import untouched
from support import check, equal, equal_bytes, pattern

SIZE = 32768  # sectors


def _read(path, first, count):
    try:
        return support.read_sectors(path, first, count)
    except OSError as error:
        equal(error.errno, errno.EIO, "the only error there is")
        return None


def _same(device, targets, step):
    """Every sector of the disk: by the set and by the table."""
    failed = 0
    for first in range(0, SIZE, step):
        served = _read(device, first, step)
        try:
            got = dm_table.read(targets, first, step)
        except OSError:
            got = None
        check((served is None) == (got is None),
              f"sectors {first}+{step}: the set gives {'EIO' if served is None else 'data'}")
        if served is None and step > 1:
            failed += _same_around(device, targets, first, step)
        elif served is None:
            failed += 1
        else:
            equal_bytes(got, served, f"sectors {first}+{step}")
    return failed


def _same_around(device, targets, first, count):
    failed = 0
    for sector in range(first, first + count):
        served = _read(device, sector, 1)
        failed += served is None
        try:
            equal_bytes(dm_table.read(targets, sector, 1), served or b"", f"sector {sector}")
        except OSError:
            check(served is None, f"sector {sector}: only the table gives an error")
    return failed


def _damage(dm, disk, device):
    """Every state that ends in a target of its own, scattered and side by side."""
    disk.fault("write", "1000+8")
    disk.fault("write", "1010+3")
    support.write_sectors(device, 996, pattern(996, 32, "new"))
    disk.fault("read", "5000+4")
    for sector in range(5000, 5004):
        with support.expect_errno(errno.EIO):
            support.read_sectors(device, sector)
    support.write_sectors(device, 5002, pattern(5002, 1, "new"))
    disk.fault("read", f"{SIZE - 1}")
    with support.expect_errno(errno.EIO):
        support.read_sectors(device, SIZE - 1)
    dm.run("remap", dm.name, "20000+16")
    support.write_sectors(device, 20004, pattern(20004, 4, "newer"))


def table(t):
    disk = t.lab(size="16MiB", fill="old")
    spare_disk = t.lab(size="32MiB")
    dm = product.Product(t, disk.path, spare_disk.path)
    dm.create()
    device = dm.start("fuse")
    equal(dm.run("table", dm.name).out, f"0 {SIZE} linear {disk.path} 0\n", "all is well")
    _damage(dm, disk, device)
    dm.make_gone(disk, 21000)
    lost = dm.status()["lost_sectors"]
    equal(lost, 5, "lost and gone")

    done = dm.run("table", dm.name)
    targets = dm_table.parse(done.out, SIZE)
    check("stop it before" in done.err and "is a file" in done.err, f"notes: {done.err}")
    equal(_same(device, targets, 64), lost, "sectors that neither gives")
    as_json = dm.run("table", dm.name, "--json").json()
    equal(as_json["table"], done.out, "the table in JSON")
    equal([(x["sector"], x["count"], x["device"], x["device_sector"]) for x in as_json["targets"]],
          [(x.first, x.count, x.device, x.sector) for x in targets], "targets in JSON")

    # From the devices of the set that runs; then of the one that does not; then read-only ones.
    offline = dm.run("table", dm.spare, dm.main).out
    equal(offline, done.out, "from the devices, running")
    dm.stop()
    stopped = dm.run("table", dm.main, dm.spare)
    equal(stopped.out, done.out, "from the devices, stopped, in any order")
    equal(dm.run("table", dm.name).out, done.out, "by name, stopped")
    equal(dm.run("table", dm.spare).out, done.out, "from the spare, main by its path and identity")
    equal(dm_table.tool(dm.spare, dm.main).out, done.out, "tools/dmsetup-table")
    equal(dm_table.tool(dm.spare).out, done.out, "tools/dmsetup-table, from the spare alone")
    spare_disk.clear()
    _alone(t, dm, done.out)
    _refused(t, dm)


def _alone(t, dm, expected):
    """The spare in another machine, on read-only media."""
    copy = t.path("copy of spare.img")
    with open(dm.spare, "rb") as file, open(copy, "wb") as out:
        out.write(file.read())
    os.chmod(copy, 0o400)
    loop = support.run("losetup", "--find", "--show", "--read-only", copy).out.strip()
    t.cleanup.push(support.detach_loop, loop)
    with untouched.untouched(t, copy):
        done = dm.run("table", loop, dm.main)
    equal(done.out, expected.replace(dm.spare, loop), "from a read-only device")
    check(f"{loop} is a file" not in done.err, done.err)
    named = dm.run("table", copy, dm.main).out
    equal(named, expected.replace(dm.spare, copy.replace(" ", "\\ ")), "a blank in a path")
    equal(dm_table.tool(copy, dm.main).out, named, "by the tool")
    equal([x.count for x in dm_table.parse(named, SIZE)],
          [x.count for x in dm_table.parse(expected, SIZE)], "and it is read back")


def _refused(t, dm):
    other = t.image("other.img", "8MiB")
    untouched.refused(t, "main-unproven", "table", dm.spare, other, paths=(dm.spare, other))
    untouched.refused(t, "no-metadata", "table", other, exit=1, paths=(other,))
    untouched.refused(t, "usage", "table", dm.name, dm.spare, exit=2)
    untouched.refused(t, "not-running", "table", "no-such-set", exit=1)
    for args in (["table"], ["table", dm.name, "--no-such-option"]):
        untouched.refused(t, "usage", *args, exit=2)


support.run_test(table, root=True, fuse=True, loop=True)
