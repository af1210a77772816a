#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A disk of 16 TB has sixteen million regions, which take 128 MB: its table loads and its messages are
# answered, each in seconds.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 300
#: when all
. ../lib.sh
. ./target.sh

modprobe null_blk nr_devices=1 gb=16384 memory_backed=0
at_exit rmmod null_blk
# tmpfs holds no file of 16 TB, but a device of that size made of one can be had.
engine_disk engine 1024
for number in $(seq 0 16383); do
  echo "$((number * 2097152)) 2097152 linear /dev/engine 0"
done > /tmp/table
dmsetup create large /tmp/table
dmsetup mknodes
at_exit dmsetup remove large
rm /tmp/table

seconds() { cut -d. -f1 /proc/uptime; }
# quick WHAT COMMAND...: in less than 30 seconds, of which a loaded machine may take most.
quick() {
  _what=$1
  shift
  _begin=$(seconds)
  "$@" > /tmp/answer || fail "$_what: exit $?"
  _took=$(($(seconds) - _begin))
  [ $_took -lt 30 ] || fail "$_what took $_took s"
  echo "ok: $_what: $_took s"
}
free_kib() { awk '/^MemAvailable/ { print $2 }' /proc/meminfo; }
before=$(free_kib)
quick "the table" create r /dev/nullb0 /dev/mapper/large
took=$((before - $(free_kib)))
[ $took -ge 120000 ] && [ $took -le 160000 ] || fail "it takes $took KiB"
equal "regions" "$(state r regions)" 16777216
quick "settle" ask r settle 1
quick "clear all" ask r clear 0+16777216
quick "marks, of which there are none" ask r marks 0
equal "says so" "$(cat /tmp/answer)" "next 16777216"
check "a write to the last sectors" request /dev/mapper/r write $((16384 * 2097152 - 8)) 8 1
quick "dirty regions" ask r dirty 0
equal "is the last one" "$(cat /tmp/answer)" "16777215+1 next 16777216"
quick "mark every hundredth of the first million" \
  ask r mark $(seq 0 100 999999 | sed 's/$/+1/')
from=0
count=0
while [ $from -lt 16777216 ]; do
  ask r marks $from > /tmp/answer
  count=$((count + $(wc -w < /tmp/answer) - 2))
  from=$(sed 's/.*next //' /tmp/answer)
done
equal "a list in parts has them all" $count 10000
quick "mark all" ask r mark 0+16777216
quick "drain all" ask r drain 10000 0+16777216
