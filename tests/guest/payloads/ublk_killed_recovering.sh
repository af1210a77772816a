#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A ublk server that is killed while it takes a dead one's device over, at any moment of that: the next
# one takes over all the same, and a request that waits meanwhile succeeds. (Linux 6.12 panics if a
# recovery begins when some queues were never fetched.)
#: kernels 6.12
#: timeout 200
#: programs {build}/bin/ublk_proxy
. ../lib.sh

modprobe brd rd_nr=1 rd_size=65536
at_exit rmmod brd
ublk_proxy /dev/ram0 > /tmp/proxy 2>&1 &
server=$!
ended() { ! [ -d /proc/$server ]; }
end_it() { ended || { kill $server; wait_until "the end of the server" ended; }; }
at_exit end_it
wait_until "a disk" grep -q /dev/ublkb /tmp/proxy
disk=$(cat /tmp/proxy)
id=${disk#/dev/ublkb}

kill -9 $server
wait $server || true
(if read_at "$disk" 0 8 > /dev/null; then echo read; else echo failed; fi > /tmp/reader) &
reader=$!
over=0
for round in $(seq 40); do
  ublk_proxy /dev/ram0 --recover "$id" > /tmp/proxy 2> /tmp/proxy.err &
  server=$!
  usleep $((round * 37 % 40 * 8000))
  kill -9 $server
  wait $server || true
  # Such a round has come to its end: the kill was none in the middle.
  if [ -s /tmp/proxy ]; then over=$((over + 1)); fi
  if [ -s /tmp/proxy.err ]; then fail "round $round: $(cat /tmp/proxy.err)"; fi
done
[ $over -lt 40 ] || fail "no kill came in between"
echo "ok: $((40 - over)) of 40 were killed before they served"

ublk_proxy /dev/ram0 --recover "$id" > /tmp/proxy 2> /tmp/proxy.err &
server=$!
wait_until "the last one serves" grep -q "$disk" /tmp/proxy
wait $reader
equal "the request that waited was answered" "$(cat /tmp/reader)" read
end_it
