#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A write is at main, which is slow, when the process of the set is killed. The next process takes the
# device over only when main has answered: else the old write could land on a newer one.
#: kernels 6.12
#: timeout 300
#: when all
. ../lib.sh

truncate -s 64M main.img
check "a disk that can be slow" dmremap-lab serve main.img main --front ublk --background
at_exit dmremap-lab stop main
main=$(readlink -f main)
check "a set is made" dmremap create late "$main" ./spare.img --spare-size 32MiB
at_exit stop_set late
node=$(dmremap start late --export ublk)
dd if=/dev/urandom of=old bs=4096 count=1 status=none
dd if=/dev/urandom of=new bs=4096 count=1 status=none

# Longer than a start waits for a device that somebody else holds.
dmremap-lab fault main slow:20000 8192+8
begun=$(cut -d. -f1 /proc/uptime)
write_at "$node" 8192 8 < old &
writer=$!
sleep 2
kill_set late
dmremap start late --export ublk > said 2>&1 || fail "$(cat said)"
taken=$(($(cut -d. -f1 /proc/uptime) - begun))
check "it was taken over when main had answered, after $taken s" [ "$taken" -ge 19 ]
wait $writer || fail "the write failed"
dmremap-lab clear main
check "a newer write" write_at "$node" 8192 8 < new
read_at "$node" 8192 8 | cmp - new || fail "another data is read"
sleep 5
read_at "$main" 8192 8 | cmp - new || fail "the old write came after the new one"
check "it is stopped" dmremap stop late
