# SPDX-License-Identifier: GPL-2.0-or-later
"""stop leaves nothing: no mount, process, socket or mount file; and refuses while in use."""

import os

import support
from support import check, equal


def stop(t):
    disk = t.lab(size="4MiB")
    loop = t.loop(disk.path)
    refused = disk.stop(expect=3).one_line_error()
    check(loop in refused, f"it names the loop device: {refused}")
    support.detach_loop(loop)

    fd = os.open(disk.path, os.O_RDONLY)
    refused = disk.stop(expect=3).one_line_error()
    check(f"pid {os.getpid()}" in refused, f"it names the process: {refused}")
    os.close(fd)
    support.read_sectors(disk.path, 0)  # it still serves

    disk.stop()
    check(not support.is_mounted(disk.path), "still mounted")
    check(not os.path.exists(disk.path), "the mount file that serve made is still there")
    equal(os.listdir(t.runtime_dir), [], "files in the runtime directory")
    check("no lab serves it" in disk.stop(expect=1).one_line_error(), "a second stop says why")

    # A mount file of the user's own stays, with what is in it.
    with open(disk.path, "w", encoding="utf-8") as file:
        file.write("mine")
    disk.serve()
    support.read_sectors(disk.path, 0)
    disk.stop()
    with open(disk.path, encoding="utf-8") as file:
        equal(file.read(), "mine", "the user's own file")

    # Unmounted by somebody else, it ends, too.
    disk.serve()
    support.run("umount", disk.path)
    support.wait_until(lambda: not os.listdir(t.runtime_dir), "the end of the lab")


support.run_test(stop, root=True, fuse=True, loop=True)
