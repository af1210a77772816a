#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set that is served by the kernel target is killed under load, and started again: no
# request fails, and none reads something else. Main fails meanwhile, and sectors of it move.
#: kernels 6.12
#: timeout 1200
#: programs fio
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

truncate -s 96M main.img
check "a disk that fails on command" dmremap-lab serve main.img main --front ublk --background
at_exit dmremap-lab stop main
main=$(readlink -f main)
check "a set is made" dmremap create rec "$main" ./spare.img --spare-size 32MiB
dmremap-lab fault main write:ENODATA 8192+16
dmremap-lab fault main write:ENODATA 65536+64
at_exit stop_set rec
node=$(dmremap start rec --export dm) || fail "it does not start"

fio --output=fio.out --name=v --filename="$node" --direct=1 --ioengine=io_uring --iodepth=32 \
  --rw=randwrite --bsrange=4k-64k --size=80m --io_size=8g --time_based=1 --runtime=60 --fsync=16 \
  --verify=crc32c --verify_fatal=1 --verify_backlog=256 --randrepeat=0 &
fio=$!
for round in 1 2 3 4 5 6; do
  sleep 2
  kill -0 $fio 2> /dev/null || fail "fio has ended in round $round: $(cat fio.out)"
  # A sector that was good until now.
  dmremap-lab fault main write:ENODATA $((20000 + 8000 * round))+8
  sleep 1
  kill_set rec
  # Clean requests go on with nobody there.
  before=$(awk '{print $1}' "/sys/block/$(basename "$node")/stat")
  read_at "$node" 190000 8 > /dev/null || fail "a clean read fails"
  [ "$(awk '{print $1}' "/sys/block/$(basename "$node")/stat")" -gt "$before" ] || fail "no clean read"
  dmremap start rec --export dm > said 2>&1 || fail "round $round: $(cat said)"
  grep -q "took over" said || fail "it does not say that it took over: $(cat said)"
  if grep -q "the kernel target sent" said; then fail "$(cat said)"; fi
  grep -qx "$node" said || fail "another device: $(cat said)"
done
echo "killed six times"
wait $fio || fail "a request failed, or read something else: $(cat fio.out)"
grep -q "err= 0" fio.out || fail "$(cat fio.out)"
status_of rec
echo "remapped: $(field set.json remapped_sectors), lost: $(field set.json lost_sectors)"
equal "nothing was lost" "$(field set.json lost_sectors)" 0
echo "$(dmsetup status rec)"
check "it is stopped" dmremap stop rec

# With another export the target is cleared away when nobody uses it, and refused when somebody does.
node=$(dmremap start rec --export dm)
kill_set rec
exec 9< "$node"
refused "a target that is in use is not cleared away" dmremap start rec --export ublk
grep -q "takes it over" /tmp/said || fail "the way out is not said: $(cat /tmp/said)"
exec 9<&-
check "an unused one is" dmremap start rec --export ublk
if dmsetup info rec > /dev/null 2>&1; then fail "the target stays"; fi
check "it is stopped" dmremap stop rec
