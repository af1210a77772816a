#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What main fails goes to the engine whole, whatever it was: requests with NOWAIT and polled ones, those
# that are split on their way, writes and zeroes. Reads ahead do not: they are read again when
# somebody wants them. What the engine fails too is the answer.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 240
#: programs fio
#: modules configfs
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
bad_disk main /dev/ram0 40000 8
clear_target /dev/mapper/main
r=/dev/mapper/r

# escalated WHAT NUMBER COMMAND...: that many of its requests have come from main to the engine.
escalated() {
  _what=$1
  _before=$(state r escalated)
  _expected=$2
  shift 2
  check "$_what" "$@"
  equal "$_what: from main to the engine" "$(($(state r escalated) - _before))" "$_expected"
}
escalated "a write" 1 request $r write 40000 8 1
check "is with the engine" request /dev/engine read 40000 8 1
escalated "a read" 1 request $r read 40000 8 1
escalated "a write over it" 1 request $r write 39936 128 2
check "is with the engine as a whole" request /dev/engine read 39936 128 2
escalated "a read over it" 1 request $r read 39936 128 2
escalated "a write of 8 MiB over nine regions" 1 request $r write 36872 16384 3
check "is with the engine where it failed" request /dev/engine read 39000 1960 3
check "another write" request $r write 40000 8 4
escalated "zeroes" 1 request $r zero 39936 128
refused "are no longer what was written" request $r read 40000 8 4
ask r mark 19+1 > /dev/null
escalated "in a marked region nothing" 0 request $r read 0 0

# Many at once, split on both queues: an engine device with small requests.
echo 4 > /sys/block/$(basename "$(readlink -f /dev/engine)")/queue/max_sectors_kb 2> /dev/null ||
  echo "the engine's requests stay large"
ask r clear 19+1 > /dev/null
before=$(state r escalated)
check "fio finds what it wrote" fio --name=v --filename=$r --rw=randwrite --bsrange=4k-1m \
  --bs_unaligned=0 --offset=16m --size=8m --loops=4 --verify=crc32c --direct=1 --ioengine=libaio \
  --iodepth=16 --fsync=64 --output=/tmp/fio
[ "$(state r escalated)" -ge $((before + 8)) ] || fail "fio has hardly met the hole"
equal "nothing is left with the engine" "$(state r waiting)" 0

# Requests that must not wait and polled ones need a disk of the block layer's own kind.
modprobe configfs
mount -t configfs configfs /sys/kernel/config
at_exit umount /sys/kernel/config
modprobe null_blk nr_devices=0
at_exit rmmod null_blk
at=/sys/kernel/config/nullb/nullb0
mkdir $at
at_exit rmdir $at
echo 64 > $at/size
echo 1 > $at/memory_backed
echo 1 > $at/poll_queues
echo 1 > $at/power
create p /dev/nullb0 /dev/engine
ask p clear 0+64 > /dev/null
p=/dev/mapper/p
check "a write" request $p write 39900 200 5 nowait
check "on main" request /dev/nullb0 read 39900 200 5
echo "+40000-40007" > $at/badblocks
refused "the disk has a bad place" request /dev/nullb0 read 40000 8 5
escalations() { state p escalated; }
for flag in nowait poll; do
  before=$(escalations)
  check "a write, $flag" request $p write 40000 8 6 $flag
  check "is with the engine" request /dev/engine read 40000 8 6
  check "a read, $flag" request $p read 40000 8 6 $flag
  check "a long write, $flag" request $p write 39900 200 7 $flag
  check "a long read at the engine" request /dev/engine read 39900 200 7
  equal "three came from main" "$(escalations)" $((before + 3))
done

# One that must not wait is not cut where marked and clear regions meet: it is refused as a whole, at
# once, and the caller sends it again without the flag. An asynchronous one could not be.
ask p mark 5+1 > /dev/null
refused "a write over a border that must not wait" request $p write $((5 * 2048 - 8)) 16 8 nowait
check "has to be sent again" grep -q "Resource temporarily unavailable" /tmp/said
check "without that flag" request $p write $((5 * 2048 - 8)) 16 8
check "and is good" request $p read $((5 * 2048 - 8)) 16 8
refused "the other border" request $p write $((6 * 2048 - 8)) 16 8 nowait
equal "nothing is left waiting" "$(state p waiting) $(state p failed)" "0 0"
equal "or counted" "$(ask p mark 0+64 > /dev/null; ask p drain 0 0+64)" 0
