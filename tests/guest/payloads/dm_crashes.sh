#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process is killed before every step of the start and of the stop that makes, changes or
# removes a device. The next start serves the set, with all that was acknowledged.
#: kernels 6.12
#: timeout 900
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/mapper_shim.so
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

ram_disks 1 64
check "a set is made" dmremap create set /dev/ram0 ./spare.img --spare-size 32MiB
at_exit stop_set set
with_fault() {
  fault=$1
  shift
  MAPPER_SHIM=$fault LD_PRELOAD=$PWD/mapper_shim.so "$@"
}
no_main() { ! dmsetup info set-main > /dev/null 2>&1; }

# serves N: the set starts, and has what round N-1 has written.
serves() {
  node=$(dmremap start set --export dm 2> said) || fail "round $1: $(cat said)"
  if grep -q "the kernel target sent" said; then fail "$(cat said)"; fi
  if [ -e data ]; then
    read_at "$node" 20480 8 | cmp - data || fail "round $1: something else is read"
    read_at "$node" 40960 8 | cmp - data || fail "round $1: something else is read of what moved"
  fi
  dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
  write_at "$node" 20480 8 < data
  write_at "$node" 40960 8 < data
}
serves 0
check "some sectors move" dmremap remap set 40960+8
check "it is stopped" dmremap stop set

# Steps 1 to 3 make set-main and 4 to 6 the target: made, loaded, live. 7 suspends the target when the
# set is stopped, 8 removes it, 9 removes set-main when all else is done.
for step in 1 2 3 4 5 6 7 8 9; do
  if with_fault die-before:$step dmremap start set --export dm > said 2>&1; then
    died=stop
    if dmremap stop set > said 2>&1; then died=late; fi
  else
    died=start
  fi
  case $step in
    [1-6]) expected=start ;;
    [78]) expected=stop ;;
    9) expected=late ;;
  esac
  equal "killed before step $step" $died $expected
  serves "$step"
  check "it is stopped" dmremap stop set
  wait_until "set-main is gone" no_main
done
