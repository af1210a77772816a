#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A SCSI disk with bad sectors under a set: what it cannot read is lost and an error to users, what is
# then written is remapped and read back, also after a stop; the disk itself goes on failing.
#: kernels 6.12 6.1
#: programs mkfs.ext4 e2fsck
. ../lib.sh

bad=20000
scsi_disk 64 medium_error_start=$bad medium_error_count=2
ram_disk 64
mkfs.ext4 -q "$disk"
mounted "$disk" /mnt
dd if=/dev/urandom of=/mnt/file bs=1M count=40 status=none
sum=$(sha256sum < /mnt/file)
umount /mnt
read_at "$disk" $bad 8 > /tmp/old

check "a set is made" dmremap create disk "$disk" /dev/ram0
check "it is served" serve disk --export fuse --export block
medium_errors on
refused "the disk fails" read_at "$disk" $bad 1

set=/dev/dm-remap/disk
refused "a bad sector is an error" read_at $set $bad 8
grep -q "Input/output error" /tmp/said || fail "of a medium, not: $(cat /tmp/said)"
read_at $set $((bad + 2)) 6 > /tmp/neighbours
tail -c +1025 /tmp/old | cmp - /tmp/neighbours || fail "the neighbours have their data"

counts() {
  dmremap status disk --json > "$OUT/status.json" || [ $? = 4 ]
  echo "remapped $(field "$OUT/status.json" remapped_sectors)" \
    "lost $(field "$OUT/status.json" lost_sectors)"
}
equal "no more than those are lost" "$(counts)" "remapped 0 lost 2"
write_at $set $bad 8 < /tmp/old
equal "what is written is remapped" "$(counts)" "remapped 2 lost 0"
read_at $set $bad 8 | cmp - /tmp/old || fail "and read back"
refused "the disk still fails" read_at "$disk" $bad 1

check "the file system is whole" e2fsck -fn $set
mounted $set /mnt
equal "the file is whole" "$(sha256sum < /mnt/file)" "$sum"
refused "a set in use is not stopped" dmremap stop disk
umount /mnt
check "it is stopped" dmremap stop disk
check "and started again" serve disk --export block
read_at $set $bad 8 | cmp - /tmp/old || fail "and read back after a stop"
