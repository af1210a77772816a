#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 1 of docs/kernel.md: what is concluded about a sector needs mark, drain and then a fresh look at
# main. A write that was on its way when the mark was set is counted, the drain waits for it, and the look
# after the drain sees it. The look before it, which is the canary, does not.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 300
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
held_disk main /dev/ram0
clear_target /dev/mapper/main

hold main
request /dev/mapper/r write $((9 * 2048 + 80)) 8 1 &
writer=$!
wait_until "the write is on its way" is_on_its_way r 9
equal "the mark counts the write that is on its way" "$(ask r mark 9+1)" 1
equal "and no other region's" "$(ask r mark 10+1)" 0
equal "a region without one is drained at once" "$(ask r drain 0 10+1)" 0
check "what comes after the mark goes to the engine" request /dev/mapper/r write $((9 * 2048 + 160)) 8 2
check "without waiting" request /dev/engine read $((9 * 2048 + 160)) 8 2
equal "the first write is still on its way" "$(ask r drain 0 9+1)" 1
refused "before the drain main has not got it" request /dev/ram0 read $((9 * 2048 + 80)) 8 1
ask r drain 10000 9+1 > /tmp/drained &
drain=$!
sleep 1
check "the drain waits for it" kill -0 $drain
release main
check "the drain ends" wait $drain
[ "$(cat /tmp/drained)" = 0 ] || equal "another one, on a loaded machine" "$(ask r drain 10000 9+1)" 0
check "after the drain main has got it" request /dev/ram0 read $((9 * 2048 + 80)) 8 1
check "and it was answered" wait $writer
refused "a clear region cannot be drained" ask r drain 0 3+1
refused "nor ranges of which one is clear" ask r drain 0 9+3

# A drain is woken by the last request, and does not find out at its own end. One of five in time is
# enough, on a loaded machine.
seconds() { cut -d. -f1 /proc/uptime; }
woken() {
  ask r clear 9+1 > /dev/null
  hold main
  request /dev/mapper/r write $((9 * 2048 + 80)) 8 1 &
  writer=$!
  wait_until "the write is on its way" is_on_its_way r 9
  ask r drain 10000 9+1 > /tmp/drained &
  drain=$!
  sleep 0.5
  before=$(seconds)
  release main
  wait $drain $writer
  [ $(($(seconds) - before)) -lt 6 ]
}
try=1
until woken; do
  try=$((try + 1))
  [ $try -le 5 ] || fail "no drain was woken"
done
echo "ok: a drain was woken, at try $try"
