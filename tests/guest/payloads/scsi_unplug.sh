#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A SCSI disk is pulled out while its set runs: requests fail and nothing is remapped. It comes back under
# another name, is known by its identity, and serves again.
#: kernels 6.12 6.1
#: timeout 240
. ../lib.sh

scsi_disk 64
ram_disk 64
set=/dev/dm-remap/disk
dmremap create disk "$disk" /dev/ram0
serve disk --export block
head -c 4096 /dev/urandom > /tmp/data
write_at $set 3000 8 < /tmp/data

fsync_of() { dd if=/tmp/data of="$1" bs=4k seek=100 conv=notrunc,fsync oflag=direct status=none; }
status() { dmremap status disk --json > "$OUT/status.json" || [ $? = 4 ]; }
# within CONDITION: whether the set is in it.
within() { status && grep -q "^ *\"$1\"" "$OUT/status.json"; }

echo 1 > "/sys/block/${disk#/dev/}/device/delete"
refused "a read fails" read_at $set 0 8
refused "a write fails" sh -c "dd if=/tmp/data of=$set bs=4k seek=100 count=1 oflag=direct conv=notrunc status=none"
wait_until "it is missed" within main-missing
equal "nothing is remapped" "$(field "$OUT/status.json" remapped_sectors)" 0
equal "nor lost" "$(field "$OUT/status.json" lost_sectors)" 0

for host in /sys/class/scsi_host/host*; do
  [ "$(cat "$host/proc_name")" = scsi_debug ] && echo "- - -" > "$host/scan"
done
wait_until "the disk is back" _find_scsi_disk
wait_until "the set is healthy" within healthy
equal "its main is where the disk is now" \
  "$(grep -A 1 '"main": {' "$OUT/status.json" | grep -o '/dev/sd[a-z]')" "$disk"
[ "$disk" != /dev/sda ] || fail "it has another name"
read_at $set 3000 8 | cmp - /tmp/data || fail "its data is there"
write_at $set 800 8 < /tmp/data
read_at "$disk" 800 8 | cmp - /tmp/data || fail "it takes writes"
dmremap events disk > "$OUT/events"
check "the way back is recorded" grep -q "rearm main is back" "$OUT/events"
# What was written before and never flushed may have been lost with the disk's cache.
refused "the next flush says so" fsync_of $set
check "once" fsync_of $set
check "it stops" dmremap stop disk
