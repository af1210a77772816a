#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set is killed under load, and started again: its users notice nothing.
#: kernels 6.12
#: timeout 600
#: programs fio
. ../lib.sh

truncate -s 96M main.img
: > /tmp/main
check "a disk that fails on command" dmremap-lab serve main.img /tmp/main --background
at_exit dmremap-lab stop /tmp/main
check "a set is made" dmremap create rec /tmp/main ./spare.img --spare-size 32MiB
dmremap-lab fault /tmp/main write:ENODATA 8192+16
dmremap-lab fault /tmp/main write:ENODATA 65536+64
dmremap-lab fault /tmp/main write:ENODATA 131072+8
at_exit stop_set rec
node=$(dmremap start rec --export ublk)

# fio goes on until it is told to end, and reads back every 256 blocks.
options="--filename=$node --direct=1 --ioengine=io_uring --iodepth=32 --rw=randwrite --bsrange=4k-64k
  --size=80m --fsync=16 --verify=crc32c --verify_fatal=1 --randrepeat=0"
# shellcheck disable=SC2086
fio --output="$OUT/fio.killed" --name=killed $options --time_based=1 --runtime=3600 --verify_backlog=256 &
verifier=$!
end_verifier() { kill -INT $verifier 2> /dev/null || true; }
at_exit end_verifier
for round in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -0 $verifier 2> /dev/null || fail "fio has ended in round $round: $(cat "$OUT/fio.killed")"
  kill_set rec
  # Not to unmount anything: its users wait, and go on with the start.
  [ "$round" != 1 ] || dmremap status rec > told 2>&1 || true
  dmremap start rec --export ublk > said 2>&1 || fail "round $round: $(cat said)"
  grep -q "took over $node" said || fail "it does not say that it took the device over: $(cat said)"
  grep -qx "$node" said || fail "another device: $(cat said)"
done
echo "killed ten times"
grep -q "uses $node waits: dmremap start rec serves it on" told || fail "$(cat told)"
sleep 1
kill -0 $verifier 2> /dev/null || fail "fio has ended by itself: $(cat "$OUT/fio.killed")"
end_verifier
wait $verifier || true  # what tells that it was interrupted
grep -q "err= 0" "$OUT/fio.killed" || fail "a request failed, or read something else: $(cat "$OUT/fio.killed")"
# shellcheck disable=SC2086
check "all of it is written and read afterwards" fio --output="$OUT/fio.after" --name=after $options
status_of rec
echo "remapped: $(field set.json remapped_sectors), lost: $(field set.json lost_sectors)"
equal "nothing was lost" "$(field set.json lost_sectors)" 0
check "it is stopped" dmremap stop rec

# With another export the device is cleared away when nobody uses it, and refused when somebody does.
dmremap start rec --export ublk > /dev/null
kill_set rec
exec 9< "$node"
refused "a device that is in use is not cleared away" dmremap start rec --export fuse
grep -q "takes it over" /tmp/said || fail "the way out is not said: $(cat /tmp/said)"
exec 9<&-
check "an unused one is" dmremap start rec --export fuse
[ ! -e "$node" ] || fail "the node stays"
check "it is stopped" dmremap stop rec
