#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A hundred thousand messages of garbage, with the kernel watching every allocation: each is refused or
# answered, and the target works on.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: files {build}/tests/kernel/garbage_messages
#: timeout 600
#: when all
#: append slub_debug=FZPU
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
create r /dev/ram0 /dev/engine
instance=$(state r instance)
for seed in 1 2 3 4; do
  check "garbage" ./garbage_messages r "$instance" 25000 $seed
done
ask r slow 0 0 > /dev/null
listed=$(ask r marks 0 | tr ' ' '\n' | awk -F+ '/[+]/ { sum += $2 } END { print sum + 0 }')
equal "as many regions are listed as are counted" "$listed" "$(state r marked)"
equal "all can be marked" "$(ask r mark 0+64 > /dev/null; ask r marks 0)" "0+64 next 64"
equal "drained" "$(ask r drain 10000 0+64)" 0
check "a write" request /dev/mapper/r write 4096 8 1
check "went to the engine" request /dev/engine read 4096 8 1
equal "and cleared" "$(ask r clear 0+64)" 64
check "a write" request /dev/mapper/r write 8192 8 2
check "went to main" request /dev/ram0 read 8192 8 2
