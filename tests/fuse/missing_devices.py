# SPDX-License-Identifier: GPL-2.0-or-later
"""Where there is no FUSE or no loop device, the error says what to load or allow."""

import json

import ram_disk
import support
from support import check, equal

NO_FUSE = 'mount -t tmpfs none /dev && mknod -m 666 /dev/null c 1 3 && exec "$@"'
NO_LOOP = NO_FUSE.replace("exec", "mknod /dev/fuse c 10 229 && exec")


def start_without(t, prepare):
    outcome = support.run("unshare", "--mount", "sh", "-c", prepare, "sh", ram_disk.RAM_SERVER,
                          t.path("disk"), 1 << 20, "--loop", expect=1)
    return json.loads(outcome.out)["error"]


def missing_devices(t):
    for prepare, device, module in ((NO_FUSE, "/dev/fuse", "fuse"),
                                    (NO_LOOP, "/dev/loop-control", "loop")):
        error = start_without(t, prepare)
        equal(error["code"], "not-supported", device)
        equal(error["where"], device, "where")
        check(f"modprobe {module}" in error["hint"], f"no help in {error}")
        check("container" in error["hint"], f"no help in {error}")


support.run_test(missing_devices, root=True, fuse=True, programs=["unshare"])
