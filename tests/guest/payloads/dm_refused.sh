#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a set is not served by the kernel target for, and what is said then. Nothing is left behind, and
# the set can be served otherwise.
#: kernels 6.12
#: timeout 600
#: modules null_blk
#: programs setpriv
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/mapper_shim.so
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

set_over_ram
no_mapper() { [ -z "$(ls -d /sys/block/dm-* 2> /dev/null)" ]; }

# says WHAT WORDS [OPTION...]: the start is refused with these words, and leaves nothing.
says() {
  what=$1
  words=$2
  shift 2
  refused "$what" dmremap start "$@" --export dm
  grep -q "$words" /tmp/said || fail "$what: $(cat /tmp/said)"
  no_mapper || fail "$what: it leaves $(ls -d /sys/block/dm-*)"
}

module=$(modinfo -n dm_remap)
mv "$module" module.ko
says "no module" "has no target" set
mv module.ko "$module"
says "read-only" "read-only" set --read-only
says "main read-only" "main-read-only" set --main-read-only
refused "two exports" dmremap start set --export dm --export ublk
grep -q "only export" /tmp/said || fail "$(cat /tmp/said)"
MAPPER_SHIM=protocol LD_PRELOAD=$PWD/mapper_shim.so
export MAPPER_SHIM LD_PRELOAD
says "a module of another protocol" "protocol" set
unset MAPPER_SHIM LD_PRELOAD

truncate -s 64M image
check "a set over an image" dmremap create image ./image ./spare2.img --spare-size 32MiB
says "an image" "takes a block device" image

modprobe null_blk nr_devices=1 zoned=1 zone_size=16 gb=1 memory_backed=1
at_exit rmmod null_blk
check "a set over a zoned disk" dmremap create zoned /dev/nullb0 ./spare3.img --spare-size 32MiB
says "a zoned disk" "is a zoned disk" zoned

# Root, and not all of its rights.
refused "without the right to administer the system" setpriv --bounding-set -sys_admin --inh-caps -sys_admin \
  dmremap start set --export dm
grep -q "CAP_SYS_ADMIN" /tmp/said || fail "$(cat /tmp/said)"
no_mapper || fail "it leaves $(ls -d /sys/block/dm-*)"

dmsetup create set --table "0 8 error"
refused "a device of that name" dmremap start set --export dm
grep -q "of that name" /tmp/said || fail "$(cat /tmp/said)"
dmsetup remove set
no_mapper || fail "it leaves $(ls -d /sys/block/dm-*)"

dmsetup create other --table "0 $(blockdev --getsz /dev/ram0) linear /dev/ram0 0"
refused "another target on main" dmremap start set --export dm
grep -q "in use" /tmp/said || fail "$(cat /tmp/said)"
dmsetup remove other
no_mapper || fail "it leaves $(ls -d /sys/block/dm-*)"

node=$(dmremap start set --export dm) || fail "it does not start"
check "it is stopped" dmremap stop set
node=$(dmremap start set --export ublk) || fail "it does not start by ublk"
check "it is stopped" dmremap stop set

# Behind our back.
node=$(dmremap start set --export dm) || fail "it does not start"
exec 9< "$node"
refused "a target in use is not removed" dmsetup remove set
exec 9<&-
pid=$(set_pid set)
check "an unused one is removed by somebody else" dmsetup remove set
ended() { ! kill -0 "$pid" 2> /dev/null; }
wait_until "the set ends" ended
wait_until "nothing is left" no_mapper
node=$(dmremap start set --export dm) || fail "it does not start again"
check "it is stopped" dmremap stop set
