#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 8 of docs/kernel.md: a drain waits within its message and holds the table meanwhile. It has a
# bound, a signal ends it, other messages are answered beside it, and requests to other regions go on.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 180
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
held_disk main /dev/ram0
clear_target /dev/mapper/main
hold main
request /dev/mapper/r write $((9 * 2048)) 8 1 &
writer=$!
wait_until "the write is on its way" is_on_its_way r 9
refused "a drain of more than ten seconds" ask r drain 10001 9+1
seconds() { cut -d. -f1 /proc/uptime; }
before=$(seconds)
equal "a drain of a second gives up" "$(ask r drain 1000 9+1)" 1
[ $(($(seconds) - before)) -ge 1 ] || fail "it has not waited"
ask r drain 10000 9+1 > /tmp/drained &
drain=$!
equal "messages are answered beside a drain" "$(ask r mark 20+1) $(ask r clear 20+1)" "0 1"
check "requests to marked regions go on" request /dev/mapper/r write $((9 * 2048 + 8)) 8 2
set -- $(dmsetup message r 0 hello)
dmsetup message r 0 drain "$1" "$2" 10000 9+1 > /tmp/said 2>&1 &
second=$!
sleep 0.5
kill $second
if wait $second; then fail "a signal has not ended the drain"; fi
echo "ok: a signal ends a drain"
release main
check "the drain ends with the write" wait $drain
check "the write is good" wait $writer

# What is cleared under a drain has nothing left to be waited for.
ask r clear 9+1 > /dev/null
hold main
request /dev/mapper/r write $((9 * 2048)) 8 1 &
writer=$!
wait_until "the write is on its way" is_on_its_way r 9
(! ask r drain 10000 9+1 > /tmp/said 2>&1) &
drain=$!
sleep 1
before=$(seconds)
ask r clear 9+1 > /dev/null
check "a drain of what is cleared meanwhile is refused" wait $drain
[ $(($(seconds) - before)) -le 8 ] || fail "it has waited on"
release main
wait $writer
