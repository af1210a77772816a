#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest is what payloads take it for: modules load, programs run, files come back.
#: kernels 6.12 6.1
#: timeout 120
#: programs fio mkfs.ext4
. ../lib.sh

check "modules load" modprobe -a loop fuse dm_mod scsi_debug xfs btrfs
check "a module with a parameter" modprobe null_blk nr_devices=0
equal "no disks of null_blk were asked for" "$(ls -d /sys/block/nullb* 2> /dev/null)" ""
rmmod scsi_debug null_blk
for program in dmremap dmremap-lab fio dmsetup; do
  check "$program runs" $program --version
done
uname -r > "$OUT/release"
