#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Somebody removes the ublk device under a kernel target that is in use, as `ublk del` does: with the
# set's process there, and with that killed. Another one takes its place, and the users go on.
#: kernels 6.12
#: timeout 600
#: programs {build}/bin/ublk_remove
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

set_over_ram
serve_by_target set
check "some sectors move" dmremap remap set 40960+8
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
write_at "$node" 20480 8 < data
write_at "$node" 40960 8 < data
exec 9< "$node"
flush() { dd of="$node" bs=4096 count=0 conv=notrunc,fsync 2> dd.err; }

# engine: the number of the ublk device that the target sends to.
engine() {
  _dev=$(dmsetup table set | cut -d' ' -f5)
  basename "$(readlink "/sys/dev/block/$_dev")" | sed -n 's/^ublkb//p'
}
has_engine() { [ -n "$(engine)" ]; }
goes_on() {
  wait_until "there is another engine device" has_engine
  check "a flush" flush
  read_at "$node" 20480 8 | cmp - data || fail "something else is read"
  read_at "$node" 40960 8 | cmp - data || fail "something else is read of what moved"
  dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
  write_at "$node" 40960 8 < data
  write_at "$node" 20480 8 < data
  check "a flush" flush
  wait_until "what is clean is cleared" few_marked set
  past_engine set "requests go past the engine" reads_as "$node" 20480 8 data
  status_of set
  equal "nothing is lost" "$(field set.json lost_sectors)" 0
}
only_one_left() { [ "$(echo /dev/ublkb*)" = "/dev/ublkb$(engine)" ]; }

pid=$(set_pid set)
check "its engine device is removed" ublk_remove "$(engine)"
goes_on
equal "by the same process" "$(set_pid set)" "$pid"
wait_until "one ublk device is left" only_one_left

kill_set set
check "it is removed when nobody is there" ublk_remove "$(engine)"
read_at "$node" 20480 8 | cmp - data || fail "a clean request does not go on"
dmremap start set > said 2>&1 || fail "it does not start: $(cat said)"
grep -q "engine device was removed" said || fail "it does not say so: $(cat said)"
grep -qx "$node" said || fail "another device: $(cat said)"
goes_on
wait_until "one ublk device is left" only_one_left
refused "it is not stopped while in use" dmremap stop set
exec 9<&-
check "it is stopped" dmremap stop set
none_left() { [ -z "$(ls -d /dev/ublkb* /sys/block/dm-* 2> /dev/null)" ]; }
wait_until "nothing is left" none_left

# Not in use: nobody waits, and there is nothing to take over.
serve_by_target set
kill_set set
check "it is removed when nobody is there" ublk_remove "$(engine)"
dmremap start set --export dm > said 2>&1 || fail "it does not start: $(cat said)"
if grep -q "took over" said; then fail "$(cat said)"; fi
node=/dev/dm-remap/set
read_at "$node" 40960 8 | cmp - data || fail "something else is read of what moved"
check "it is stopped" dmremap stop set
