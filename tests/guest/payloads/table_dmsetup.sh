#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The table that `dmremap table` prints, loaded with dmsetup: the kernel's device gives what the set
# gives, sector by sector, errors too, without any program of ours.
#: kernels 6.12 6.1
. ../lib.sh

scsi_disk 32 medium_error_start=20000 medium_error_count=8
ram_disk 32
set=/dev/dm-remap/disk
dd if=/dev/urandom of="$disk" bs=1M count=32 oflag=direct status=none
dmremap create disk "$disk" /dev/ram0
serve disk --export block
medium_errors on

# Remapped by a write, by hand, and across each other's edges; lost in two places.
refused "the bad sectors are lost" read_at $set 20000 8
head -c 1536 /dev/urandom | write_at $set 20002 3
dmremap remap disk 0+3
dmremap remap disk 30001+7
head -c 4096 /dev/urandom | write_at $set 30000 8
dmremap remap disk $((32 * 2048 - 1))

# every DEVICE: a line for each sector of the places where something happened and of their
# neighbours: its checksum, or `error`; and the checksum of all that lies between.
every() {
  for sector in $(seq 0 3) $(seq 19999 20008) $(seq 29999 30008) 65534 65535; do
    if read_at "$1" "$sector" 1 > /tmp/sector 2> /tmp/said; then
      echo "$sector $(md5sum < /tmp/sector)"
    else
      grep -q "Input/output error" /tmp/said || cat /tmp/said
      echo "$sector error"
    fi
  done
  for range in "4 19995" "20009 9990" "30009 35525"; do
    # shellcheck disable=SC2086 # two words
    echo "$range $(read_at "$1" $range | md5sum)"
  done
}
every $set > "$OUT/set"
equal "sectors that the set cannot give" "$(grep -c error "$OUT/set")" 5
dmremap table disk > "$OUT/table" 2> "$OUT/notes"
check "the set stops" dmremap stop disk
dmremap table disk > "$OUT/table.stopped"
cmp "$OUT/table" "$OUT/table.stopped" || fail "the table of the stopped set is the same"

check "dmsetup takes it" dmsetup create --readonly backup "$OUT/table"
at_exit dmsetup remove backup
dmsetup mknodes
check "it is live" dmsetup info backup
dmsetup table backup > "$OUT/loaded"
equal "targets that the kernel has" "$(wc -l < "$OUT/loaded")" "$(wc -l < "$OUT/table")"
equal "its size" "$(blockdev --getsz /dev/mapper/backup)" 65536
every /dev/mapper/backup > "$OUT/kernel"
cmp "$OUT/set" "$OUT/kernel" || {
  diff "$OUT/set" "$OUT/kernel" || true
  fail "the kernel's device gives what the set gives"
}
equal "all sectors were compared" "$(wc -l < "$OUT/kernel")" 29
