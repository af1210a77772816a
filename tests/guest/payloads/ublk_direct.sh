#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests that a ublk server passes on in its queues' rings: data, errnos, memory that is short,
# what an idle server locks.
#: kernels 6.12
#: timeout 300
#: programs fio {build}/bin/ublk_proxy
#: files {source}/tests/guest/ublk_proxy.sh
. ../lib.sh
# shellcheck source=../ublk_proxy.sh
. ./ublk_proxy.sh

# --- 1 MiB for all data in flight: two of the largest requests, or 256 of the smallest
proxy --buffers 1024
check "small memory, many requests of all sizes" verify --rw=randwrite --bsrange=4k-512k --size=20m \
  --ioengine=libaio --iodepth=64 --fsync=16 --output="$OUT/fio.memory"
dmremap-lab fault /run/main read:ENODATA 65536
dmremap-lab fault /run/main write:EILSEQ 65537
if read_at "$disk" 65530 16 > /dev/null 2> /tmp/dd.err; then fail "a bad sector was read"; fi
check "an errno comes through both disks" grep -q "No data available" /tmp/dd.err
head -c 8192 /dev/zero > zeros
if write_at "$disk" 65530 16 < zeros 2> /tmp/dd.err; then fail "a bad sector was written"; fi
check "also of a write" grep -q "Invalid or incomplete" /tmp/dd.err
dmremap-lab clear /run/main
check "stop" end_proxy

# --- answered by the queue's own thread while it hands out memory
proxy --buffers 512 --inline 1
check "answers before begin() has returned" verify --rw=randwrite --bsrange=4k-512k --size=20m \
  --ioengine=libaio --iodepth=64 --fsync=16 --output="$OUT/fio.inline"
check "stop" end_proxy

# --- stopping
proxy
dmsetup create held --table "0 2048 linear $disk 0"
kill $server
wait_until "a stop is refused while a device lies on it" grep -q refused /tmp/proxy
dmsetup remove held
locked=$(awk '/VmLck/ { print $2 }' /proc/$server/status)
[ "$locked" -gt 0 ] || fail "an idle server locks nothing: it should be all of its memory"
[ "$locked" -le 32768 ] || fail "an idle server locks $locked KiB"
echo "ok: an idle server locks $locked KiB"
check "stop" end_proxy
[ ! -e "$disk" ] || fail "$disk is still there"
