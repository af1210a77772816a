#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 6 of docs/kernel.md: a request without FUA for a clear region has failed on main, and the engine
# may begin with narrowing. So nothing else may come to it: of a clear region it sees FUA writes,
# flushes, and what main failed.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 120
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
bad_disk main /dev/ram0 40000 8
clear_target /dev/mapper/main
came() { echo "$(state r sent) $(state r escalated) $(state r waiting)"; }
equal "nothing has come to the engine" "$(came)" "0 0 0"
check "a write" request /dev/mapper/r write 4096 64 1
check "a read" request /dev/mapper/r read 4096 64 1
check "zeroes" request /dev/mapper/r zero 8192 4096
equal "nor does it by reads, writes and zeroes" "$(came)" "0 0 0"
check "a write with FUA" request /dev/mapper/r write 4096 8 2 durable
equal "comes with the flush that follows, and was not tried on main" "$(came)" "2 0 0"
check "it is with the engine" request /dev/engine read 4096 8 2
check "and main is as it was" request /dev/ram0 read 4096 64 1
check "a flush" request /dev/mapper/r flush
equal "comes" "$(came)" "3 0 0"
check "a write that main fails" request /dev/mapper/r write 40000 8 3
equal "comes, and is counted as such" "$(came)" "4 1 0"

# Holes and RAM disks take no discards on each kernel.
engine_disk other 64
create d /dev/other /dev/engine
ask d clear 0+64 > /dev/null
check "a write" request /dev/mapper/d write 8192 64 4
check "a discard over four regions" request /dev/mapper/d discard 8192 8192
refused "has reached main" request /dev/other read 8192 64 4
equal "and not the engine" "$(state d sent)" 0
