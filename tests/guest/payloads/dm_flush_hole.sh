#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rules 4 and 5 by the kernel target: main loses what went past the engine, and its flush fails. The
# flush fails for the user, and what was lost is found and told; also if the process is killed before it
# can say so.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

lab_set hole 64
lab=$(pidof dmremap-lab)
serve_by_target hole
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
flush() { dd of="$node" bs=4096 count=0 conv=notrunc,fsync; }
check "a flush of what was there" flush

# Rule 4. Main loses the write in its cache, and cannot read the sector any more.
dmremap-lab cache main volatile
sent=$(state hole sent)
write_at "$node" 61440 8 < data
equal "the write goes past the engine" "$(state hole sent)" "$sent"
dmremap-lab fault main read:ENODATA 61440+8
dmremap-lab flushes main EIO:1
if flush 2> fsync.err; then fail "a flush that failed was answered well"; fi
grep -q "Input/output error" fsync.err || fail "not an error of the device: $(cat fsync.err)"
echo "ok: the flush failed"
status_of hole
equal "what it lost is gone" "$(field set.json gone_sectors)" 8
dmremap-lab clear main
if read_at "$node" 61440 8 > back 2> /dev/null; then fail "the version before is read"; fi
echo "ok: main's older version is not read"
check "the next flush succeeds" flush

# Rule 5. The same, and the process is killed while main is asked.
dmremap-lab flushes main EIO:1
write_at "$node" 65536 8 < data
read_at "$node" 65536 8 | cmp - data || fail "not even main's cache has it"
at_exit kill -CONT "$lab"
kill -STOP "$lab"
flush 2> fsync.err &
writer=$!
wait_until "main is asked to flush" in_doubt hole
kill -KILL "$(set_pid_of_file hole)"
kill -CONT "$lab"
dmremap start hole --export dm > said 2>&1 || fail "$(cat said)"
if wait $writer; then fail "a flush that failed was answered well"; fi
echo "ok: the flush failed"
read_at "$main" 65536 8 > back
if cmp -s back data; then fail "main has not lost it: this shows nothing"; fi
check "the next flush succeeds" flush
dmremap-lab cache main none

# Without a flush under way nothing fails.
write_at "$node" 70000 8 < data
kill_set hole
flush 2> fsync.err &
writer=$!
sleep 1
dmremap start hole --export dm > said 2>&1 || fail "$(cat said)"
wait $writer || fail "a flush failed: $(cat fsync.err)"
echo "ok: a flush that waited for the process succeeds"
read_at "$node" 70000 8 | cmp - data || fail "another data is read"
check "it is stopped" dmremap stop hole

# The canary: without the doubt that the dead process has left, a lost write is called durable.
serve_by_target hole
check "a flush of what was there" flush
dmremap-lab cache main volatile
dmremap-lab flushes main EIO:1
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
write_at "$node" 75000 8 < data
kill -STOP "$lab"
flush 2> fsync.err &
writer=$!
wait_until "main is asked to flush" in_doubt hole
kill -KILL "$(set_pid_of_file hole)"
kill -CONT "$lab"
dd if=/dev/zero of=/run/dmremap/hole.memory bs=1 seek=22464 count=16 conv=notrunc 2> dd.err
dmremap start hole --export dm > said 2>&1 || fail "$(cat said)"
wait $writer || fail "this check cannot fail: the flush is not believed anyway"
read_at "$node" 75000 8 > back
if cmp -s back data; then fail "main has not lost it: this shows nothing"; fi
echo "ok: without the doubt it is lost in silence"
dmremap-lab cache main none
check "it is stopped" dmremap stop hole
