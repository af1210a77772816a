#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The lab's disk as a block device by ublk: every errno at every address through the kernel's block
# layer, for reads and writes; slow sectors, a cache that loses, flushes that fail, a disk that is
# pulled, a disk with an arm.
#: kernels 6.12
#: timeout 300
. ../lib.sh

image=/dev/shm/disk.img
truncate -s 64M $image
check "the lab serves by ublk" dmremap-lab serve $image /run/disk --front ublk --background
at_exit dmremap-lab stop /run/disk
disk=$(readlink /run/disk)
name=${disk#/dev/}
case $disk in /dev/ublkb*) ;; *) fail "the link leads to '$disk'" ;; esac
equal "its size in sectors" "$(cat "/sys/block/$name/size")" 131072
equal "it has a cache" "$(cat "/sys/block/$name/queue/write_cache")" "write back"
equal "it says that it turns" "$(cat "/sys/block/$name/queue/rotational")" 1
equal "it takes discards" "$(cat "/sys/block/$name/queue/discard_max_bytes")" 33554432

pattern() { tr '\0' "$1" < /dev/zero | head -c $(($2 * 512)); }
flush() { dd if=/dev/null of="$disk" conv=fsync,notrunc status=none; }
sum_at() { read_at "$disk" "$1" "$2" | md5sum; }

pattern A 2048 | write_at "$disk" 0 2048
equal "what was written is read" "$(sum_at 0 2048)" "$(pattern A 2048 | md5sum)"
equal "and is in the image" "$(dd if=$image bs=512 count=2048 2> /dev/null | md5sum)" \
  "$(pattern A 2048 | md5sum)"

# --- an errno at an address: what was written, and what the reader or writer hears
at=1000
for case in "ENODATA=No data available" "EIO=Input/output error" "ETIMEDOUT=timed out" \
  "EILSEQ=Invalid or incomplete" "ENOSPC=No space left" "EREMOTEIO=Remote I/O error" \
  "ENOLINK=Link has been severed" "EUCLEAN=Input/output error"; do
  error=${case%%=*}
  words=${case#*=}
  dmremap-lab fault /run/disk "read:$error" $at
  if read_at "$disk" $((at - 1)) 3 > /dev/null 2> /tmp/dd.err; then
    fail "read:$error: it was read"
  fi
  grep -q "$words" /tmp/dd.err || fail "read: $error became: $(cat /tmp/dd.err)"
  read_at "$disk" $((at - 1)) 1 > /dev/null || fail "the sector before it"
  read_at "$disk" $((at + 1)) 1 > /dev/null || fail "the sector behind it"
  dmremap-lab clear /run/disk
  dmremap-lab fault /run/disk "write:$error" $at
  read_at "$disk" $at 1 > /dev/null || fail "only writes fail"
  pattern B 1 > one
  if write_at "$disk" $at 1 < one 2> /tmp/dd.err; then
    fail "write:$error: it was written"
  fi
  grep -q "$words" /tmp/dd.err || fail "write: $error became: $(cat /tmp/dd.err)"
  dmremap-lab clear /run/disk
  echo "ok: $error for reads and writes"
  at=$((at + 100))
done
dmremap-lab fault /run/disk read:ENODATA+until-written 131071
refused "the last sector" read_at "$disk" 131071 1
pattern C 1 > one
check "a write mends it" write_at "$disk" 131071 1 < one
equal "the last sector" "$(sum_at 131071 1)" "$(pattern C 1 | md5sum)"

# --- time
now() { cut -d' ' -f1 /proc/uptime | tr -d .; }
dmremap-lab fault /run/disk slow:1500 5000
began=$(now)
read_at "$disk" 5000 1 > /dev/null
[ $(($(now) - began)) -ge 150 ] || fail "a slow sector took $(($(now) - began)) / 100 s"
dmremap-lab clear /run/disk

dmremap-lab mode /run/disk arm:50,20
began=$(now)
for at in 0 100000 10000 90000 20000 80000 30000 70000; do
  read_at "$disk" $at 8 > /dev/null
done
took=$(($(now) - began))
dmremap-lab mode /run/disk instant
# Eight seeks over 40 to 100 thousand of 131 thousand sectors.
[ $took -ge 40 ] || fail "eight seeks took $took / 100 s"
echo "ok: the arm takes its time ($took / 100 s for eight seeks)"

# --- a cache, flushes
dmremap-lab cache /run/disk volatile
pattern D 8 > eight
check "a write into the cache" write_at "$disk" 2000 8 < eight
equal "is read" "$(sum_at 2000 8)" "$(pattern D 8 | md5sum)"
dmremap-lab flushes /run/disk EIO:1
refused "the flush fails" flush
equal "what it should have kept is lost" "$(sum_at 2000 8)" "$(pattern A 8 | md5sum)"
check "the next one succeeds" flush
check "again" write_at "$disk" 2000 8 < eight
check "a flush" flush
pattern E 8 > eight
check "one more, not flushed" write_at "$disk" 2000 8 < eight
dmremap-lab unplug /run/disk
refused "a pulled disk reads nothing" read_at "$disk" 0 8
grep -q "No such device" /tmp/said || fail "ENODEV became: $(cat /tmp/said)"
dmremap-lab replug /run/disk
equal "what was not flushed is lost" "$(sum_at 2000 8)" "$(pattern D 8 | md5sum)"
dmremap-lab cache /run/disk none

check "a discard" blkdiscard -o 0 -l 4096 "$disk"
equal "reads as zeros" "$(sum_at 0 8)" "$(head -c 4096 /dev/zero | md5sum)"

# --- the end
dmsetup create held --table "0 2048 linear $disk 0"
refused "no stop while a device lies on it" dmremap-lab stop /run/disk
grep -q dm- /tmp/said || fail "it does not say who: $(cat /tmp/said)"
dmsetup remove held
tail -f "$disk" > /dev/null &
holder=$!
refused "no stop while a program has it open" dmremap-lab stop /run/disk
grep -q "$holder" /tmp/said || fail "it does not say who: $(cat /tmp/said)"
kill $holder
wait $holder || true
dmremap-lab show /run/disk --json > "$OUT/show.json"
check "stop" dmremap-lab stop /run/disk
if [ -L /run/disk ]; then fail "the link is still there"; fi
if [ -e "$disk" ]; then fail "$disk is still there"; fi
_steps=
