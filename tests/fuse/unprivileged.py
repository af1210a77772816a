# SPDX-License-Identifier: GPL-2.0-or-later
"""An ordinary user can serve the disk as a file, without a loop device."""

import os
import pwd

import ram_disk
import support
from ram_disk import RamDisk
from support import check, equal


def unprivileged(t):
    nobody = pwd.getpwnam("nobody")
    os.chmod(t.dir, 0o755)
    home = t.path("home")
    os.mkdir(home)
    os.chown(home, nobody.pw_uid, nobody.pw_gid)
    # The build directory may be closed to others.
    support.run("cp", ram_disk.RAM_SERVER, t.path("ram_server"))
    ram_disk.RAM_SERVER = t.path("ram_server")
    as_nobody = ["setpriv", f"--reuid={nobody.pw_uid}", f"--regid={nobody.pw_gid}",
                 "--clear-groups"]
    disk = RamDisk(t, size="16MiB", mountfile=os.path.join(home, "disk"), loop=False,
                   prefix=as_nobody)
    equal(disk.error, None, "error of the start")
    source = t.image("source", "4MiB", fill=1)
    support.run(*as_nobody, "dd", f"if={source}", f"of={disk.path}", "bs=1M", "conv=notrunc",
                "oflag=direct")
    support.run(*as_nobody, "cmp", f"--bytes={4 << 20}", source, disk.path)
    disk.must("stop")
    check(not os.path.lexists(disk.path), "the mount file is still there")

    refused = RamDisk(t, size="16MiB", mountfile=os.path.join(home, "second"), prefix=as_nobody)
    equal(refused.error["code"], "permission", "a loop device for an ordinary user")
    check(refused.error["hint"], "no hint")
    equal(refused.server.wait(timeout=300), 1, "exit status")
    check(not os.path.lexists(os.path.join(home, "second")), "something was left behind")


support.run_test(unprivileged, root=True, fuse=True, programs=["setpriv", "fusermount3"])
