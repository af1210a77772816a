#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A SCSI disk with medium errors as main: reads through the page cache are good, and what was only read
# ahead does not come to the engine. The disk goes offline and comes back, then it goes for good: the
# engine answers all of it.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 240
. ../lib.sh
. ./target.sh

scsi_disk 64 medium_error_start=40000 medium_error_count=8 physblk_exp=3 lbpu=1
engine_disk engine 64
create r "$disk" /dev/engine
r=/dev/mapper/r
regions=$(state r regions)
ask r clear 0+$regions > /dev/null
for device in $r /dev/engine; do check "contents" request $device write 32768 16384 1; done
medium_errors on
refused "the disk has a bad place" request "$disk" read 40000 8 1
check "a direct read" request $r read 40000 8 1
engine_read() { awk '{ print $3 }' "/sys/block/$(basename "$(readlink -f /dev/engine)")/stat"; }
before=$(engine_read)
dd if=$r of=/tmp/read bs=4096 skip=4096 count=2048 2> /tmp/said || fail "a buffered read: $(cat /tmp/said)"
# A page, not all that was read ahead with it.
[ $(($(engine_read) - before)) -eq 8 ] || fail "the engine has read $(($(engine_read) - before)) sectors"
dd if=/dev/engine of=/tmp/expected bs=4096 skip=4096 count=2048 2> /dev/null
check "reads through the page cache are good" cmp /tmp/read /tmp/expected
rm /tmp/read /tmp/expected
medium_errors off
echo offline > "/sys/block/${disk##*/}/device/state"
check "offline: a read" request $r read 33000 1024 1
check "offline: a write" request $r write 50000 1024 2
echo running > "/sys/block/${disk##*/}/device/state"
check "back: a write goes to the disk" request $r write 60000 8 3
check "as it did before" request "$disk" read 60000 8 3
echo 1 > "/sys/block/${disk##*/}/device/delete"
check "gone: a write" request $r write 70000 8 4
check "gone: a read" request $r read 70000 8 4
equal "nothing is left waiting" "$(state r waiting)" 0
