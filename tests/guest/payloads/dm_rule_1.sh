#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 1 by the kernel target: sectors move to the spare while a write past the engine is on its way to
# main. What is moved is what that write brought. And the canary: without the drain it is lost.
#: kernels 6.12
#: timeout 300
#: modules dm-delay
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/mapper_shim.so
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

# Its reads are fast and its writes are not.
ram_disks 1 64
size=$(blockdev --getsz /dev/ram0)
dmsetup create slow --table "0 $size delay /dev/ram0 0 0 /dev/ram0 0 4000"
dmsetup mknodes
at_exit dmsetup remove slow
main=$(readlink -f /dev/mapper/slow)
check "a set is made" dmremap create set "$main" ./spare.img --spare-size 32MiB
at_exit stop_set set
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
under_way() { [ "$(awk '{print $9}' "/sys/block/$(basename "$1")/stat")" != 0 ]; }

# moved AT [FAULT]: a write of `data` at the sector is overtaken by the move of what is there; what is
# read afterwards goes to `back`.
moved() {
  node=$(MAPPER_SHIM=${2:-none} LD_PRELOAD=$PWD/mapper_shim.so dmremap start set --export dm) ||
    fail "it does not start"
  wait_until "what is clean is cleared" few_marked set
  sent=$(state set sent)
  write_at "$node" "$1" 8 < data &
  writer=$!
  wait_until "the write is under way" under_way "$node"
  check "sectors move" dmremap remap set "$1+8"
  wait $writer || fail "the write fails"
  equal "the write went past the engine" "$(state set sent)" "$sent"
  read_at "$node" "$1" 8 > back
  status_of set
  equal "moved" "$(field set.json remapped_sectors)" "$3"
  check "it is stopped" dmremap stop set
}

moved 20480 none 8
cmp data back || fail "what was written and acknowledged is not what is read"
echo "ok: nothing is lost"

moved 24576 no-drain 16
if cmp -s data back; then fail "without a drain nothing is lost: this check cannot fail"; fi
echo "ok: without the drain it is lost"
