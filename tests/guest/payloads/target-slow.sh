#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The engine, which does not see what goes to main, asks which requests took long.
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
slow_disk main /dev/ram0 400
clear_target /dev/mapper/main
request /dev/mapper/r write 4096 8 1
equal "nothing is remembered before it is asked for" "$(ask r slow 200 0)" "next 0"
request /dev/mapper/r write 4096 8 1
request /dev/mapper/r read 8192 16 0 > /dev/null || true
answer=$(ask r slow 200 0)
set -- $answer
equal "a write and a read" "$1 $2 $4 $5 $7 $8" "w 4096+8 r 8192+16 next 2"
[ "$3" -ge 396 ] && [ "$3" -lt 60000 ] || fail "the write took $3 ms"
equal "asked again, the same answer" "$(ask r slow 200 0)" "$answer"
equal "only what is new" "$(ask r slow 60000 2)" "next 2"
request /dev/mapper/r write 4096 8 1
equal "what is quicker is not remembered" "$(ask r slow 0 0 | tr ' ' '\n' | tail -n 1)" 2
ask r slow 100 0 > /dev/null
for number in $(seq 70); do request /dev/mapper/r write $((number * 8)) 8 1 & done
wait
set -- $(ask r slow 100 0)
equal "the last 64 are kept" "$#" $((64 * 3 + 2))
equal "and their number says how many were lost" "$(echo "$@" | tr ' ' '\n' | tail -n 1)" 72
