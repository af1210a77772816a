#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Suspend, resume and reload under load, with regions marked and cleared meanwhile: what was written is
# read, whichever table it came through. Both devices lead to the same bytes here.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 450
#: programs fio
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

one_disk_twice 64
create r /dev/loop6 /dev/loop7
fio --name=v --filename=/dev/mapper/r --rw=randwrite --bsrange=4k-512k --size=64m --loops=4 \
  --verify=crc32c --verify_backlog=32 --direct=1 --ioengine=io_uring --iodepth=16 --fsync=128 \
  --output=/tmp/fio &
fio=$!
turns=0
while kill -0 $fio 2> /dev/null; do
  ask r clear 0+64 > /dev/null
  ask r mark 3+20 > /dev/null
  ask r drain 10000 3+20 > /dev/null
  [ $((turns % 2)) = 0 ] || noflush=--noflush
  dmsetup suspend ${noflush:-} r
  [ $((turns % 3)) = 0 ] || dmsetup load r --table "0 131072 remap /dev/loop6 /dev/loop7 $((64 << (turns % 8)))"
  dmsetup resume r
  turns=$((turns + 1))
  if [ "$(state r regions)" != 64 ]; then
    dmsetup load r --table "0 131072 remap /dev/loop6 /dev/loop7"
    dmsetup resume r
  fi
done
check "fio finds what it wrote" wait $fio
[ $turns -ge 5 ] || fail "only $turns tables"
echo "ok: $turns times"
equal "nothing is left with the engine" "$(state r waiting)" 0
