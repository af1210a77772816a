#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests that a ublk server passes on in its queues' rings: a server that is killed.
#: kernels 6.12
#: timeout 300
#: programs fio {build}/bin/ublk_proxy
#: files {source}/tests/guest/ublk_proxy.sh
. ../lib.sh
# shellcheck source=../ublk_proxy.sh
. ./ublk_proxy.sh

# --- killed under load
proxy
id=${disk#/dev/ublkb}
verify --rw=randwrite --bsrange=4k-128k --size=48m --loops=4 --ioengine=libaio --iodepth=32 \
  --verify_backlog=64 --fsync=32 > "$OUT/fio.killed" 2>&1 &
fio=$!
killed=0
for _ in 1 2 3; do
  sleep 1
  [ -d /proc/$fio ] || break
  kill -9 $server
  wait $server || true
  proxy --recover "$id"
  killed=$((killed + 1))
done
check "no request failed, none was lost" wait $fio
[ $killed -ge 2 ] || fail "fio was through after $killed kills"
check "stop" end_proxy
