#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By the kernel target: main comes back under another name while its device is in use, and the process is
# killed before any step by which the set follows it. The next start finishes that.
#: kernels 6.12
#: when all
#: timeout 1200
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/mapper_shim.so
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

scsi_set
scsi_set_served
check "it is stopped" dmremap stop set

# Of the process: steps 1 to 3 make set-main and 4 to 6 the target. 7 to 9 lead set-main to where main
# is now, and 10 to 12 the target: loaded, suspended, live.
ended() { [ ! -d "/proc/$1" ] || grep -q "^State:.*Z" "/proc/$1/status"; }
for step in 7 8 9 10 11 12; do
  node=$(MAPPER_SHIM=die-before:$step LD_PRELOAD=$PWD/mapper_shim.so dmremap start set --export dm) ||
    fail "step $step: it does not start"
  pid=$(set_pid set)
  exec 9< "$node"
  moves
  wait_until "the process is killed" ended "$pid"
  dmremap start set --export dm > said 2>&1 || fail "step $step: $(cat said)"
  grep -q "took over" said || fail "step $step: it does not say that it took over: $(cat said)"
  if grep -q "the kernel target sent" said; then fail "$(cat said)"; fi
  is_served
  flush_node || true
  check "killed before step $step: a flush" flush_node
  exec 9<&-
  check "it is stopped" dmremap stop set
done
