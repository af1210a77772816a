# SPDX-License-Identifier: GPL-2.0-or-later
"""What a volatile cache holds is read, and is lost by a flush that fails, by an unplug and by a kill;
a flush and a stop keep it."""

import errno

import lab_process
import support
from support import equal, equal_bytes, pattern, read_sectors, write_sectors


def _image(disk, sector):
    with open(disk.image, "rb") as file:
        file.seek(sector * support.SECTOR)
        return file.read(support.SECTOR)


def lost_cache(t):
    disk = t.lab(size="1MiB", fill=1)
    support.dmremap_lab("cache", disk.path, "volatile")
    equal((disk.show()["cache"], disk.show()["flushes"]), ("volatile", "ok"), "as show has it")

    write_sectors(disk.path, 10, pattern(10, 1, 2))
    equal_bytes(read_sectors(disk.path, 10), pattern(10, 1, 2), "read from the cache")
    equal_bytes(_image(disk, 10), pattern(10, 1, 1), "not yet in the image")
    support.flush(disk.path)
    equal_bytes(_image(disk, 10), pattern(10, 1, 2), "flushed")

    write_sectors(disk.path, 11, pattern(11, 1, 2))
    support.dmremap_lab("flushes", disk.path, "ENODATA:1")
    equal(disk.show()["flushes"], "ENODATA:1", "the next flush")
    with support.expect_errno(errno.ENODATA):
        support.flush(disk.path)
    support.flush(disk.path)
    equal_bytes(read_sectors(disk.path, 11), pattern(11, 1, 1), "lost by a flush that failed")
    equal(disk.show()["counts"]["failed_flushes"], 1, "failed flushes")

    write_sectors(disk.path, 12, pattern(12, 1, 2))
    disk.unplug()
    disk.replug()
    equal_bytes(read_sectors(disk.path, 12), pattern(12, 1, 1), "lost by an unplug")

    write_sectors(disk.path, 13, pattern(13, 1, 2))
    disk.stop()
    equal_bytes(_image(disk, 13), pattern(13, 1, 2), "kept by a stop")
    disk.serve()
    equal(disk.show()["cache"], "none", "so it begins")

    support.dmremap_lab("cache", disk.path, "volatile")
    write_sectors(disk.path, 14, pattern(14, 1, 2))
    lab_process.kill(disk)
    equal_bytes(_image(disk, 14), pattern(14, 1, 1), "lost by a kill")


support.run_test(lost_cache, root=True, fuse=True)
