#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A set whose main is a real block device with bad sectors, by the lab's ublk front: what cannot be
# written moves to the spare, what cannot be read is lost and nothing else, and the scan gives way to
# others on the same disk, as the block layer counts them.
#: kernels 6.12
#: timeout 900
#: programs fio
. ../lib.sh

truncate -s 64M /dev/shm/main.img
check "main" dmremap-lab serve /dev/shm/main.img /run/main --front ublk --background
at_exit dmremap-lab stop /run/main
main=$(readlink /run/main)
check "a set" dmremap create box "$main" /dev/shm/spare.img --spare-size 32MiB
check "starts" dmremap start box --export block
at_exit dmremap stop box
disk=/dev/dm-remap/box
status() { dmremap status box --json > /tmp/status || [ $? = 4 ]; }
read_again() { [ "$(read_at $disk 0 8 | wc -c)" = 4096 ]; }
is() { status && [ "$(field /tmp/status "$1")" = "$2" ]; }

# --- bad for writes and reads from the start
for at in 8000 40000+8 70000+64; do
  dmremap-lab fault /run/main write:ENODATA+read:ENODATA $at
done
check "fio reads what it wrote, over bad sectors" fio --name=verify --filename=$disk --direct=1 \
  --rw=randwrite --bsrange=4k-64k --size=48m --ioengine=libaio --iodepth=16 --fsync=64 \
  --verify=crc32c --verify_fatal=1 --output-format=terse --output="$OUT/fio"
status
cp /tmp/status "$OUT/status.json"
remapped=$(field /tmp/status remapped_sectors)
[ "$remapped" -ge 73 ] || fail "only $remapped sectors are remapped"
equal "nothing is lost" "$(field /tmp/status lost_sectors)" 0

# --- data that cannot be read
dmremap-lab fault /run/main read:ENODATA 120000+8
if read_at $disk 120000 8 > /dev/null 2> /tmp/dd.err; then fail "what main cannot read was read"; fi
equal "its neighbours are read" "$(read_at $disk 120008 8 | wc -c)" 4096
check "it is lost, and no more" is lost_sectors 8

# --- the scan, and others on the same disk who do not come by the set
dmremap-lab mode /run/main arm:8,60
dmremap-lab fault /run/main read:ENODATA 130000+8
# They read where nothing is bad: fio ends at the first error.
fio --name=other --filename="$main" --direct=1 --rw=randread --bs=4k --size=3m --ioengine=sync --time_based \
  --runtime=3600 --output-format=terse > /dev/null 2>&1 &
other=$!
end_other() { kill $other 2> /dev/null || true; }
at_exit end_other
# The scan must not be through before they begin.
reads() { awk '{print $1}' "/sys/block/${main#/dev/}/stat"; }
idle=$(reads)
others_read() { kill -0 $other && [ "$(reads)" -gt $((idle + 50)) ]; }
wait_until "the others read" others_read
dmremap scrub box start > /dev/null
wait_until "the scan waits for the others" is waits_for '"foreground"'
before=$(field /tmp/status scanned_sectors)
sleep 3
status
held=$(($(field /tmp/status scanned_sectors) - before))
# A piece now and then is what it may ask for.
[ $held -le 8192 ] || fail "it has read $held sectors meanwhile"
end_other
wait $other || true
# On a busy machine they may have stood still for long enough to be taken for gone, and then have met a
# read of the scan: half an hour of idle time makes good for one. A new process has nothing to make good.
check "the set is stopped" dmremap stop box
check "and started" dmremap start box --export block
dmremap scrub box start > /dev/null
wait_until "then it goes on" is passes 1
check "and has found what nobody had read" is lost_sectors 16
dmremap-lab mode /run/main instant

# --- main is pulled: errors, and no more than that
dmremap-lab unplug /run/main
if read_at $disk 0 8 > /dev/null 2> /tmp/dd.err; then fail "a pulled main was read"; fi
dmremap-lab replug /run/main
wait_until "it is read again" read_again
# The loop device keeps an error for whoever flushes next.
dd if=/dev/null of=$disk conv=fsync,notrunc 2> /dev/null || true
check "stops" dmremap stop box
check "main stops" dmremap-lab stop /run/main
_steps=
