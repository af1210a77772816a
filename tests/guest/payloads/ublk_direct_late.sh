#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests that a ublk server passes on in its queues' rings: a device that answers late.
#: kernels 6.12
#: timeout 300
#: programs fio {build}/bin/ublk_proxy
#: files {source}/tests/guest/ublk_proxy.sh
. ../lib.sh
# shellcheck source=../ublk_proxy.sh
. ./ublk_proxy.sh

# --- late: answered while the device still works on it
proxy --late-at 100000
dmremap-lab fault /run/main slow:5000 100000+8
verify --rw=randwrite --bsrange=4k-64k --size=32m --ioengine=libaio --iodepth=16 --time_based \
  --runtime=8 > "$OUT/fio.late" 2>&1 &
fio=$!
for _ in 1 2 3; do
  began=$(cut -d' ' -f1 /proc/uptime | tr -d .)
  if read_at "$disk" 100000 8 > /dev/null 2> /tmp/dd.err; then fail "a late read succeeded"; fi
  took=$(($(cut -d' ' -f1 /proc/uptime | tr -d .) - began))
  grep -q "timed out" /tmp/dd.err || fail "a late read ended with: $(cat /tmp/dd.err)"
  [ $took -lt 450 ] || fail "it took $took / 100 s"
done
echo "ok: late reads end early, three of them with the device busy on the one before"
check "meanwhile nothing else was disturbed" wait $fio
dmremap-lab clear /run/main
equal "and the sectors are well again" "$(read_at "$disk" 100000 8 | wc -c)" 4096
check "stop" end_proxy
