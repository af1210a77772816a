#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A SCSI disk that refuses writes, then flushes: what it will not take goes to the spare and the user
# sees no error; a flush that fails is told to whoever asked for it, each time, and is over with the disk's
# own trouble. Of the kernels here only 6.12 lets scsi_debug fail by command.
#: timeout 240
. ../lib.sh

scsi_disk 64
ram_disk 64
rules=/sys/kernel/debug/scsi_debug/$(basename "$(dirname "$(dirname "$(readlink -f "/sys/block/${disk#/dev/}")")")")/error
write=0x2a
flush=0x35
# failing COMMAND ASC: from now on it ends with a medium error. What the kernel repeats, it repeats in vain.
failing() { echo "2 1 $1 0 0 0x2 0x3 $2 0" > "$rules"; }
well() { echo "- 2 $1" > "$rules"; }

set=/dev/dm-remap/disk
dmremap create disk "$disk" /dev/ram0
serve disk --export block
# Its exit status says that nothing needs attention.
counts() {
  dmremap status disk --json > "$OUT/status.json"
  echo "remapped $(field "$OUT/status.json" remapped_sectors)" \
    "lost $(field "$OUT/status.json" lost_sectors)"
}

head -c 4096 /dev/urandom > /tmp/data
failing $write 0x14
refused "the disk takes no write" sh -c "dd if=/tmp/data of=$disk bs=4k oflag=direct status=none"
write_at $set 1000 8 < /tmp/data
echo "ok: the set takes it"
well $write
read_at $set 1000 8 | cmp - /tmp/data || fail "it has what was written"
equal "it was remapped" "$(counts)" "remapped 8 lost 0"
read_at "$disk" 1000 8 | cmp -s - /tmp/data && fail "the disk does not have it"

# fsynced: writes 4 KiB and flushes.
fsynced() { dd if=/tmp/data of=$set bs=4k seek=500 oflag=direct conv=notrunc,fsync status=none; }
check "a flush succeeds" fsynced
failing $flush 0x0c
refused "a flush that fails is told" fsynced
refused "each time" fsynced
well $flush
check "and over with the disk's trouble" fsynced
check "for good" fsynced
read_at $set 4000 8 | cmp - /tmp/data || fail "what was written before is there"
equal "a flush moves nothing" "$(counts)" "remapped 8 lost 0"
check "the verdict counts them" grep -q '"flushes that failed: 2 in 30 days"' "$OUT/status.json"
check "it stops" dmremap stop disk
serve disk --export block
read_at $set 1000 8 | cmp - /tmp/data || fail "what was remapped is there after a stop"
