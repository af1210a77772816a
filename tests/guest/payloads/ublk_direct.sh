#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Requests that a ublk server passes on in its queues' rings: data, errnos, memory that is short, a
# device that answers late, a server that is killed, what an idle one locks.
#: kernels 6.12
#: timeout 450
#: programs fio {build}/bin/ublk_proxy
. ../lib.sh

image=/dev/shm/main.img
truncate -s 64M $image
check "a disk below" dmremap-lab serve $image /run/main --front ublk --background
at_exit dmremap-lab stop /run/main
main=$(readlink /run/main)

# proxy OPTION...: over $main; its disk is $disk, its process $server.
proxy() {
  : > /tmp/proxy
  ublk_proxy "$main" "$@" > /tmp/proxy 2> /tmp/proxy.err &
  server=$!
  wait_until "the proxy's disk" grep -q /dev/ublkb /tmp/proxy
  disk=$(grep /dev/ublkb /tmp/proxy)
}
end_proxy() {
  kill $server
  wait $server
}
end_any() {
  [ ! -d /proc/"$server" ] || kill -9 "$server"
  # One that was killed leaves its disk.
  for _at in /sys/block/ublkb*; do [ "/dev/${_at##*/}" = "$main" ] || echo "left: $_at"; done
}
verify() {
  fio --name=verify --filename="$disk" --direct=1 --verify=crc32c --verify_fatal=1 \
    --output-format=terse "$@"
}

server=none
at_exit end_any

# --- 1 MiB for all data in flight: two of the largest requests, or 256 of the smallest
proxy --buffers 1024
check "small memory, many requests of all sizes" verify --rw=randwrite --bsrange=4k-512k --size=20m \
  --ioengine=libaio --iodepth=64 --fsync=16 --output="$OUT/fio.memory"
dmremap-lab fault /run/main read:ENODATA 65536
dmremap-lab fault /run/main write:EILSEQ 65537
if read_at "$disk" 65530 16 > /dev/null 2> /tmp/dd.err; then fail "a bad sector was read"; fi
check "an errno comes through both disks" grep -q "No data available" /tmp/dd.err
head -c 8192 /dev/zero > zeros
if write_at "$disk" 65530 16 < zeros 2> /tmp/dd.err; then fail "a bad sector was written"; fi
check "also of a write" grep -q "Invalid or incomplete" /tmp/dd.err
dmremap-lab clear /run/main
check "stop" end_proxy

# --- answered by the queue's own thread while it hands out memory
proxy --buffers 512 --inline 1
check "answers before begin() has returned" verify --rw=randwrite --bsrange=4k-512k --size=20m \
  --ioengine=libaio --iodepth=64 --fsync=16 --output="$OUT/fio.inline"
check "stop" end_proxy

# --- late: answered while the device still works on it
proxy --late-at 100000
dmremap-lab fault /run/main slow:5000 100000+8
verify --rw=randwrite --bsrange=4k-64k --size=32m --ioengine=libaio --iodepth=16 --time_based \
  --runtime=10 > "$OUT/fio.late" 2>&1 &
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

# --- stopping
dmsetup create held --table "0 2048 linear $disk 0"
kill $server
wait_until "a stop is refused while a device lies on it" grep -q refused /tmp/proxy
dmsetup remove held
locked=$(awk '/VmLck/ { print $2 }' /proc/$server/status)
[ "$locked" -gt 0 ] || fail "an idle server locks nothing: it should be all of its memory"
[ "$locked" -le 32768 ] || fail "an idle server locks $locked KiB"
echo "ok: an idle server locks $locked KiB"
check "stop" end_proxy
[ ! -e "$disk" ] || fail "$disk is still there"
