#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A ublk server that is killed under load and started again: no request fails, none is lost, and what
# fio reads back is what it wrote. The lab is the server; the same code serves sets.
#: kernels 6.12
#: timeout 300
#: programs fio
. ../lib.sh

image=/dev/shm/disk.img
truncate -s 64M $image
serve() { dmremap-lab serve $image /run/disk --front ublk --background; }
check "the lab serves by ublk" serve
at_exit dmremap-lab stop /run/disk
disk=$(readlink /run/disk)

fio --name=verify --filename="$disk" --rw=randwrite --bsrange=4k-128k --size=48m --loops=3 \
  --verify=crc32c --verify_backlog=64 --verify_fatal=1 --direct=1 --ioengine=libaio --iodepth=32 \
  --fsync=32 --output-format=terse > "$OUT/fio" 2>&1 &
fio=$!
killed=0
for _ in 1 2 3 4; do
  sleep 1
  [ -d /proc/$fio ] || break
  kill -9 "$(pidof dmremap-lab)"
  # What the kernel keeps of it meanwhile waits; the image's lock goes with the process.
  wait_until "the lab serves again" serve
  killed=$((killed + 1))
done
check "fio has read what it wrote" wait $fio
[ $killed -ge 2 ] || fail "fio was through after $killed kills"
echo "ok: killed $killed times"
equal "still the same device" "$(readlink /run/disk)" "$disk"

# Nothing serves: requests wait, and end in errors when the disk is taken away for good.
kill -9 "$(pidof dmremap-lab)"
(if read_at "$disk" 0 8; then echo read; else echo failed; fi > /tmp/ended) &
reader=$!
sleep 2
[ ! -s /tmp/ended ] || fail "a read ended without a server: $(tail -n 1 /tmp/ended)"
# A read that waits does not keep the disk from being taken away.
dmremap-lab stop /run/disk > /tmp/said
grep -q "its lab had died" /tmp/said || fail "stop said: $(cat /tmp/said)"
wait $reader || true
equal "the read has failed" "$(cat /tmp/ended)" failed
[ ! -e "$disk" ] || fail "$disk is still there"
_steps=
