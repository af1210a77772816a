#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The last step of a shutdown: a clean stop is recorded, reads go on, and whatever would change the set
# waits or is refused. Nothing waits for what waits: a stop is refused, and the next process does it.
#: kernels 6.12
#: timeout 300
#: programs fio timeout
#: files {source}/tests/guest/ublk.sh
. ../lib.sh
# shellcheck source=../ublk.sh
. ./ublk.sh

bad_set off
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
write_at "$node" 8192 8 < data
check "the machine is to be turned off" dmremap stop off --power-off
read_at "$node" 8192 8 | cmp - data || fail "it does not read any more"
for change in "remap off 64+8" "unremap off 8192+8" "retry off 64+8" "scrub off start" \
  "start off --export ublk --replace"; do
  # shellcheck disable=SC2086
  refused "$change" timeout 100 dmremap $change
  grep -q "to be turned off" /tmp/said || fail "it does not say why: $(cat /tmp/said)"
done

# A write whose program was killed: nobody has the device open any more.
fio --output=fio.kept --name=kept --filename="$node" --thread --ioengine=io_uring --direct=1 --rw=write --bs=4k \
  --offset=1m --size=4k --verify=crc32c --do_verify=0 &
writer=$!
waits() { [ "$(awk '{print $2}' "/sys/block/${node#/dev/}/inflight")" = "$1" ]; }
wait_until "a write is kept back" waits 1
kill -KILL $writer
wait $writer || true
refused "a stop does not wait for it" timeout 100 dmremap stop off
grep -q "kept back" /tmp/said || fail "it does not say why: $(cat /tmp/said)"
read_at "$node" 0 8 > /dev/null || fail "it does not read any more"
kill -KILL "$(set_pid_of_file off)"
check "it is served again" dmremap start off --export ublk
wait_until "the write is done" waits 0
equal "that was a clean stop" "$(died off)" 0
check "it is what the program wrote" fio --output=fio.read --name=kept --filename="$node" --ioengine=sync \
  --direct=1 --rw=read --bs=4k --offset=1m --size=4k --verify=crc32c
check "the machine is to be turned off" dmremap stop off --power-off
check "without such a write it is stopped" timeout 100 dmremap stop off
[ ! -e "$node" ] || fail "the node stays"
