#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 4 of docs/kernel.md: only the engine flushes main, and after a flush that failed it must know
# every region that was written since the last good one. The target never flushes main itself, and lists
# those regions until a flush succeeds or the engine has settled them.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 180
#: programs dd
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
bad_disk hole /dev/ram0 40000 8
slow_disk main /dev/mapper/hole 0
dmsetup create engine --table "0 131072 linear /dev/engine 0"
dmsetup mknodes
at_exit dmsetup remove engine
create r /dev/mapper/main /dev/mapper/engine
ask r clear 0+64 > /dev/null

# engine_table TABLE: another table for the engine device.
engine_table() {
  dmsetup load engine --table "$1"
  dmsetup suspend engine
  dmsetup resume engine
}
main_disk=dm-$(dmsetup info -c --noheadings -o minor main)
writes_of_main() { awk '{ print $5 }' "/sys/block/$main_disk/stat"; }
durable() { state r durable; }

equal "a new table is all dirty" "$(ask r dirty 0)" "0+64 next 64"
equal "until that is settled" "$(ask r settle 1) $(ask r dirty 0)" "1 next 64"
check "a write" request /dev/mapper/r write $((3 * 2048)) 8 1
equal "its region is dirty" "$(ask r dirty 0)" "3+1 next 64"
check "a write over three" request /dev/mapper/r write $((10 * 2048 - 8)) $((2048 + 16)) 1
equal "all three are" "$(ask r dirty 0)" "3+1 9+3 next 64"
equal "a list goes on where it is told" "$(ask r dirty 4) $(ask r dirty 64)" "9+3 next 64 next 64"
check "a read" request /dev/mapper/r read $((3 * 2048)) 8 1
ask r mark 20+1 > /dev/null
check "a write by the engine" request /dev/mapper/r write $((20 * 2048)) 8 1
equal "neither makes a region dirty" "$(ask r dirty 0)" "3+1 9+3 next 64"

before=$(writes_of_main)
sent=$(state r sent)
check "a flush" request /dev/mapper/r flush
equal "the engine has got it" "$(state r sent)" $((sent + 1))
equal "main has got none" "$(writes_of_main)" "$before"
equal "nothing is dirty" "$(ask r dirty 0)" "next 64"

# A flush that fails.
check "a write" request /dev/mapper/r write $((5 * 2048)) 8 2
was=$(durable)
engine_table "0 131072 flakey /dev/engine 0 0 600 1 error_writes"
refused "a flush that the engine fails" request /dev/mapper/r flush
equal "its region stays dirty" "$(ask r dirty 0) $(durable)" "5+1 next 64 $was"
equal "so it does after another" "$(request /dev/mapper/r flush) $(ask r dirty 0)" \
  "Input/output error 5+1 next 64"
engine_table "0 131072 linear /dev/engine 0"
epoch=$(ask r epoch | cut -d' ' -f1)
refused "an epoch that has not ended cannot be settled" ask r settle $((epoch + 1))
equal "one that has can" "$(ask r settle "$epoch") $(ask r dirty 0)" "$epoch next 64"
equal "an older one changes nothing" "$(ask r settle 1)" "$epoch"

# A write that was on its way during the flush.
on_its_way() { [ "$(awk '{ print $9 }' "/sys/block/dm-$(dmsetup info -c --noheadings -o minor r)/stat")" = 1 ]; }
dmsetup suspend main
request /dev/mapper/r write $((30 * 2048)) 8 3 &
writer=$!
wait_until "the write is on its way" on_its_way
sleep 1
check "a flush while a write is on its way" request /dev/mapper/r flush
equal "is good" "$(ask r dirty 0)" "next 64"
dmsetup resume main
check "the write ends" wait $writer
equal "and was not made durable" "$(ask r dirty 0)" "30+1 next 64"
check "by the next one it is" request /dev/mapper/r flush
equal "nothing is dirty again" "$(ask r dirty 0)" "next 64"

# A write that failed on main, as it may have written a part.
check "a write to a hole" request /dev/mapper/r write 39992 24 4
equal "its region is dirty" "$(ask r dirty 0)" "$((40000 / 2048))+1 next 64"

# Copies ask what was written since.
first=$(ask r epoch | cut -d' ' -f1)
check "a write" request /dev/mapper/r write $((50 * 2048)) 8 5
second=$(ask r epoch | cut -d' ' -f1)
equal "it was after the first epoch" "$(ask r written "$first" 0)" "50+1 next 64"
equal "and in the second" "$(ask r written "$second" 0)" "next 64"
equal "a flush changes nothing in that" "$(request /dev/mapper/r flush)$(ask r written "$first" 0)" \
  "50+1 next 64"
