#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Tables that make no sense are refused, each with its reason in the kernel's log, and leave nothing
# held. The module loads by modprobe too, and goes when its last table has gone.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 180
. ../lib.sh
. ./target.sh

check "modprobe by the module's name" modprobe dm_remap
check "the target is there" sh -c 'dmsetup targets | grep -q "^remap *v5"'
check "rmmod" rmmod dm_remap
check "modprobe by the target's name" modprobe dm-remap
ram_disks 2 64
engine_disk engine 64
main=/dev/ram0

# no WHY TABLE: is refused, and the log says why.
no() {
  dmesg > /tmp/before
  refused "$2" dmsetup create bad --table "$2"
  dmesg | tail -n +$(($(wc -l < /tmp/before) + 1)) > /tmp/log
  grep -q "$1" /tmp/log || fail "the log does not say '$1': $(cat /tmp/log)"
  if dmsetup info bad > /dev/null 2>&1; then fail "a device is left behind"; fi
}
usage="Arguments are <main> <engine device>"
no "$usage" "0 2048 remap"
no "$usage" "0 2048 remap $main"
no "$usage" "0 2048 remap $main /dev/engine 2048 1"
size="Region sectors must be a power of two"
for value in 0 1 4 7 2047 2049 4194304 4294967296 4294967296000 -8 +8 8k 0x800; do
  no "$size" "0 2048 remap $main /dev/engine $value"
done
no "Cannot open device" "0 2048 remap /dev/nowhere /dev/engine"
no "Cannot open device" "0 2048 remap $main /dev/nowhere"
no "Cannot open device" "0 2048 remap /dev/null /dev/engine"
no "Device is smaller than the target" "0 131073 remap $main /dev/engine"
truncate -s 1M /tmp/small
at_exit rm /tmp/small
losetup /dev/loop6 /tmp/small
at_exit losetup -d /dev/loop6
no "Device is smaller than the target" "0 4096 remap $main /dev/loop6"
no "Main and engine are the same device" "0 2048 remap /dev/engine /dev/engine"
no "Engine device has no write cache" "0 2048 remap $main /dev/ram1"
no "Target must start at sector 0" "0 2048 linear $main 0
2048 2048 remap $main /dev/engine"
modprobe null_blk nr_devices=1 gb=1 zoned=1 zone_size=16 memory_backed=0
no "Zoned devices are not supported" "0 2048 remap /dev/nullb0 /dev/engine"
rmmod null_blk
modprobe null_blk nr_devices=1 gb=1 bs=4096 memory_backed=0
check "regions of one block of 4 KiB" dmsetup create fine --table "0 2048 remap /dev/nullb0 /dev/engine 8"
equal "as many as there are blocks" "$(state fine regions)" 256
dmsetup remove fine
rmmod null_blk

# Memory: as many regions as fit into a quarter of it, and no more than the limit.
modprobe null_blk nr_devices=1 gb=16000 memory_backed=0
sectors=$(blockdev --getsz /dev/nullb0)
truncate -s $((sectors / 2))K /tmp/huge
at_exit rm /tmp/huge
losetup /dev/loop5 /tmp/huge
at_exit losetup -d /dev/loop5
no "Too many regions" "0 $sectors remap /dev/nullb0 /dev/loop5 8"
no "Too many regions" "0 $sectors remap /dev/nullb0 /dev/loop5 256"
memory=$(awk '/^MemTotal/ { print $2 * 1024 }' /proc/meminfo)
region=2048
while [ $((sectors / region * 8 * 4)) -le "$memory" ]; do region=$((region / 2)); done
[ $((sectors / region)) -lt 67108864 ] || fail "this guest has too much memory for this test"
no "Too many regions" "0 $sectors remap /dev/nullb0 /dev/loop5 $region"
check "half as many" dmsetup create fine --table "0 $sectors remap /dev/nullb0 /dev/loop5 $((region * 2))"
dmsetup remove fine
rmmod null_blk
