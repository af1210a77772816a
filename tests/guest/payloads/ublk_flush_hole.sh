#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Ordering rule 5: a flush of main is under way when the process is killed. What main said of it
# nobody knows, so it fails when the kernel sends it again; the next one may succeed.
#: kernels 6.12
#: timeout 300
. ../lib.sh

truncate -s 64M main.img
check "a disk with a cache that loses" dmremap-lab serve main.img main --front ublk --background
at_exit dmremap-lab stop main
lab=$(pidof dmremap-lab)
main=$(readlink -f main)
check "a set is made" dmremap create hole "$main" ./spare.img --spare-size 32MiB
at_exit stop_set hole
node=$(dmremap start hole --export ublk)
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
flush() { dd of="$node" bs=4096 count=0 conv=notrunc,fsync; }

dmremap-lab cache main volatile
dmremap-lab flushes main EIO:1
write_at "$node" 8192 8 < data
read_at "$node" 8192 8 | cmp - data || fail "not even main's cache has it"
at_exit kill -CONT "$lab"
kill -STOP "$lab"
flush 2> fsync.err &
writer=$!
wait_until "main is asked to flush" in_doubt hole
kill -KILL "$(set_pid_of_file hole)"
kill -CONT "$lab"
dmremap start hole --export ublk > said 2>&1 || fail "$(cat said)"
if wait $writer; then fail "a flush that failed was answered well"; fi
grep -q "Input/output error" fsync.err || fail "not an error of the device: $(cat fsync.err)"
echo "ok: the flush failed"
read_at "$main" 8192 8 > back
if cmp -s back data; then fail "main has not lost it: this shows nothing"; fi
check "the next flush succeeds" flush
dmremap-lab cache main none

# Without a flush under way nothing fails.
write_at "$node" 8200 8 < data
kill_set hole
flush 2> fsync.err &
writer=$!
sleep 1
dmremap start hole --export ublk > said 2>&1 || fail "$(cat said)"
wait $writer || fail "a flush failed: $(cat fsync.err)"
echo "ok: a flush that waited for the process succeeds"
read_at "$node" 8200 8 | cmp - data || fail "another data is read"
check "it is stopped" dmremap stop hole
