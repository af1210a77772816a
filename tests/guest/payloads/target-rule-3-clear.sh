#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 3 of docs/kernel.md: a region is cleared without a drain. What the engine has in hand stays there,
# what comes next goes to main; a region that is cleared and marked again counts what is on main.
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
held_disk held /dev/engine
create r /dev/ram0 /dev/mapper/held
hold held
request /dev/mapper/r write $((9 * 2048 + 80)) 8 1 &
writer=$!
wait_until "the engine has a request" is_waiting r
equal "clear does not wait for it" "$(ask r clear 9+1)" 1
check "what comes next goes to main" request /dev/mapper/r write $((9 * 2048 + 160)) 8 2
check "at once" request /dev/ram0 read $((9 * 2048 + 160)) 8 2
equal "while the engine still has the other" "$(state r waiting)" 1
equal "a mark finds nothing on its way to main" "$(ask r mark 9+1)" 0
release held
check "the engine's request ends" wait $writer
check "at the engine" request /dev/engine read $((9 * 2048 + 80)) 8 1
refused "and not on main" request /dev/ram0 read $((9 * 2048 + 80)) 8 1
equal "clear twice" "$(ask r clear 9+1) $(ask r clear 9+1)" "1 0"
equal "mark twice" "$(ask r mark 9+1) $(ask r mark 9+1) $(state r marked)" "0 0 64"
equal "several ranges" "$(ask r clear 0+3 8+1 60+4) $(ask r marks 0)" "8 3+5 9+51 next 64"
