#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 1 of docs/kernel.md: what is concluded about a sector needs mark, drain and then a fresh look at
# main. A write that was on its way when the mark was set is counted, the drain waits for it, and the look
# after the drain sees it. The look before it, which is the canary, does not.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 120
. ../lib.sh
. ./target.sh

ram_disks 1 64
engine_disk engine 64
slow_disk main /dev/ram0 4000
create r /dev/mapper/main /dev/engine
ask r clear 0+64 > /dev/null

request /dev/mapper/r write $((9 * 2048 + 80)) 8 1 &
writer=$!
sleep 1
equal "the mark counts the write that is on its way" "$(ask r mark 9+1)" 1
equal "and no other region's" "$(ask r mark 10+1)" 0
equal "a region without one is drained at once" "$(ask r drain 0 10+1)" 0
check "what comes after the mark goes to the engine" request /dev/mapper/r write $((9 * 2048 + 160)) 8 2
check "without waiting" request /dev/engine read $((9 * 2048 + 160)) 8 2
equal "the first write is still on its way" "$(ask r drain 0 9+1)" 1
refused "before the drain main has not got it" request /dev/ram0 read $((9 * 2048 + 80)) 8 1
equal "the drain waits for it" "$(ask r drain 10000 9+1)" 0
check "after the drain main has got it" request /dev/ram0 read $((9 * 2048 + 80)) 8 1
check "and it was answered" wait $writer
refused "a clear region cannot be drained" ask r drain 0 3+1
refused "nor ranges of which one is clear" ask r drain 0 9+3
