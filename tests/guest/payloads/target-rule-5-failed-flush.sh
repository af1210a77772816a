#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 5 of docs/kernel.md, in the module: a flush that failed must not be repeated, as the next one may
# succeed and hide what was lost. Other requests that the engine fails while a suspend without flush is
# going on wait for the next table, and so survive another engine device.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 120
. ../lib.sh
. ./target.sh

ram_disks 1 64
engine_disk first 64
engine_disk second 64
dmsetup create engine --table "0 131072 linear /dev/first 0"
dmsetup mknodes
at_exit dmsetup remove engine
create r /dev/ram0 /dev/mapper/engine
instance=$(state r instance)

# The engine is away: what it is asked waits.
dmsetup suspend engine
request /dev/mapper/r write 4096 8 1 &
writer=$!
request /dev/mapper/r flush > /tmp/flush &
flusher=$!
has_both() { [ "$(state r waiting)" = 2 ]; }
wait_until "both requests are with the engine" has_both
# It will not come back: what it has been asked ends with an error, as at STOP_DEV of ublk.
dmsetup load engine --table "0 131072 flakey /dev/first 0 0 600 2 error_reads error_writes" 2> /dev/null ||
  dmsetup load engine --table "0 131072 flakey /dev/first 0 0 600 1 error_writes"
dmsetup load r --table "0 131072 remap /dev/ram0 /dev/second"
dmsetup suspend --noflush r &
suspender=$!
sleep 1
dmsetup resume engine
check "the suspend ends" wait $suspender
if wait $flusher; then fail "the flush succeeded, though the engine failed it"; fi
equal "the flush has failed" "$(cat /tmp/flush)" "Input/output error"
check "the write has not" kill -0 $writer
dmsetup resume r
check "the write succeeds with the next table" wait $writer
check "at its engine" request /dev/second read 4096 8 1
[ "$(state r instance)" != "$instance" ] || fail "the next table has the instance of the first"
refused "outside a suspend the engine's error is the answer" sh -c '
  dmsetup load r --table "0 131072 remap /dev/ram0 /dev/mapper/engine" &&
  dmsetup resume r && ./block_request /dev/mapper/r write 4096 8 1'
