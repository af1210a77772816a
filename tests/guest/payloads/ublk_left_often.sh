#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A server leaves its disk under load and takes it over again, many times: a request that comes just then
# is neither failed nor lost, and does not hold up the device (docs/decisions/023-*).
#: kernels 6.12
#: timeout 300
#: programs fio {build}/bin/ublk_proxy
#: files {source}/tests/guest/ublk_proxy.sh
. ../lib.sh
# shellcheck source=../ublk_proxy.sh
. ./ublk_proxy.sh

rounds=60
proxy --rounds $rounds
# Few at a time, so that there are always some that come.
fio --name=load --filename="$disk" --direct=1 --rw=randrw --bs=4k --ioengine=io_uring --iodepth=4 --numjobs=2 \
  --time_based=1 --runtime=3600 --output="$OUT/fio" &
load=$!
end_load() { kill -INT $load 2> /dev/null || true; }
at_exit end_load
goes_on() { [ "$(tail -n 1 /tmp/proxy)" != "$last" ]; }
while last=$(tail -n 1 /tmp/proxy) && [ "$last" != "round $rounds" ]; do
  wait_until "the next one after '$last'" goes_on
done
kill -0 $load || fail "fio has ended by itself: $(cat "$OUT/fio")"
end_load
wait $load || true
equal "jobs of fio without an error" "$(grep -c "err= 0" "$OUT/fio")" 2
check "stop" end_proxy
