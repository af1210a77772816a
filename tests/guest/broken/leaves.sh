#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ends well, but a mount, a loop device and a process of it stay.
#: timeout 120
#: programs mkfs.ext4
. ../lib.sh

truncate -s 16M /tmp/image
mkfs.ext4 -q /tmp/image
mount -o loop /tmp/image /mnt
sleep 1000 &
