#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests to clear regions go to main, those to marked ones to the engine, and a request over both is
# cut where they meet. The module is loaded by `dmsetup create`.
#: kernels 6.12 6.1
#: timeout 120
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
main=/dev/ram0
engine=/dev/engine
equal "the module is not loaded yet" "$(dmsetup targets | grep -c remap)" 0
create r $main $engine
set -- $(dmsetup table r)
equal "the table" "$3 $6" "remap 2048"
equal "regions" "$(state r regions)" 64

# All marked.
equal "a new table is all marked" "$(state r marked)" 64
equal "and says so in a list" "$(ask r marks 0)" "0+64 next 64"
check "a write while all is marked" request /dev/mapper/r write 4096 8 1
check "went to the engine" request $engine read 4096 8 1
refused "and not to main" request $main read 4096 8 1

# Cleared.
equal "clear" "$(ask r clear 0+64)" 64
equal "none is marked" "$(state r marked) $(ask r marks 0)" "0 next 64"
sent=$(state r sent)
check "a write while all is clear" request /dev/mapper/r write 8192 8 2
check "went to main" request $main read 8192 8 2
refused "and not to the engine" request $engine read 8192 8 2
check "and is read from there" request /dev/mapper/r read 8192 8 2
equal "the engine has heard of none of it" "$(state r sent)" "$sent"

# A request over several regions: 5 is marked, 3, 4, 6 and 7 are not.
equal "mark" "$(ask r mark 5+1)" 0
check "a write over five regions" request /dev/mapper/r write $((3 * 2048 + 1000)) 8192 3
check "its beginning is on main" request $main read $((3 * 2048 + 1000)) $((1048 + 2048)) 3
check "its middle on the engine" request $engine read $((5 * 2048)) 2048 3
check "its end on main" request $main read $((6 * 2048)) 3000 3
refused "main has no middle" request $main read $((5 * 2048)) 2048 3
check "and it is read whole" request /dev/mapper/r read $((3 * 2048 + 1000)) 8192 3
check "the regions' edges" request /dev/mapper/r write $((5 * 2048 - 8)) 16 4
check "before the edge" request $main read $((5 * 2048 - 8)) 8 4
check "after it" request $engine read $((5 * 2048)) 8 4

# Zeroes and discards over both.
check "zeroes over clear and marked regions" request /dev/mapper/r zero $((4 * 2048)) $((3 * 2048))
for place in "$main 8192" "$engine 10240" "$main 12288"; do
  set -- $place
  dd if="$1" bs=512 skip="$2" count=2048 2> /dev/null | cmp -s -n 1048576 - /dev/zero ||
    fail "no zeroes at $place"
done
check "the engine keeps what main's zeroes covered" request $engine read 4096 8 1

# What the last sectors need: the last region may be short.
dmsetup create short --table "0 $((3 * 2048 + 8)) remap $main $engine"
dmsetup mknodes
at_exit dmsetup remove short
equal "a short last region counts" "$(state short regions)" 4
check "and takes requests" request /dev/mapper/short write $((3 * 2048)) 8 5
check "at the engine" request $engine read $((3 * 2048)) 8 5
