# SPDX-License-Identifier: GPL-2.0-or-later
"""What this process may do, by capabilities(7): root in a container often lacks some."""

# linux/capability.h
CAP_IPC_LOCK, CAP_SYS_RESOURCE = 14, 24


def may(number):
    with open("/proc/self/status", encoding="utf-8") as file:
        effective = dict(line.split(":", 1) for line in file)["CapEff"]
    return int(effective, 16) >> number & 1 == 1
