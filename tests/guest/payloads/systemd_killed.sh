#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set that systemd looks after is killed under load, three times: systemd starts it again
# each time, it takes its device over, and neither the programs nor the file system on it get an error.
#: kernels 6.12
#: when all
#: timeout 1500
#: memory 2048
#: drive main 96MiB
#: device virtio-blk-pci,drive=main,serial=MAIN1
#: drive spare 64MiB
#: device virtio-blk-pci,drive=spare,serial=SPARE1
#: packages systemd udev kmod
#: programs fio unshare mkfs.ext4 e2fsck blkid {build}/bin/dmremap-udev
#: modules virtio_blk
#: files {source}/tests/guest/systemd.sh
#: files {source}/packaging/udev/59-dm-remap.rules.in
#: files {source}/packaging/dmremap@.service.in {source}/packaging/dm-remap-modules.service.in
. ../lib.sh
# shellcheck source=../systemd.sh
. ./systemd.sh

kills=3
uuid=44444444-2222-4333-8444-555555555555

prepare_systemd
mkfs.ext4 -q -U $uuid "$(drive_node MAIN1)"
echo "UUID=$uuid /mnt ext4 nofail,x-systemd.device-timeout=600 0 0" > /etc/fstab
modprobe ublk_drv
check "a set" dmremap create data "$(drive_node MAIN1)" "$(drive_node SPARE1)"
check "enabled" dmremap enable data

# In that boot, with what it says in /run/test/said.
cat > /run/test/look << END
exec > /run/test/said 2>&1
. $(dirname "$PWD")/lib.sh
. $PWD/systemd.sh
kills=$kills
END
cat >> /run/test/look << 'END'
unit=dmremap@data.service
for _ in $(seq 600); do grep -q ' /mnt ' /proc/mounts && break; sleep 1; done
node=$(readlink -f /dev/dm-remap/data)
equal "it is mounted from the set" "$(awk '$2 == "/mnt" {print $1}' /proc/mounts | xargs readlink -f)" "$node"
fio --output=/run/test/fio --name=killed --filename=/mnt/file --direct=1 --ioengine=io_uring --iodepth=4 \
  --rw=randwrite --bsrange=4k-64k --size=32m --fsync=16 --verify=crc32c --verify_fatal=1 --randrepeat=0 \
  --time_based=1 --runtime=3600 --verify_backlog=256 &
verifier=$!
end_verifier() { kill -INT $verifier 2> /dev/null || true; }
at_exit end_verifier

writes() { awk '{print $5}' "/sys/block/${node#/dev/}/stat"; }
have_written() { [ "$(writes)" -ge $((before + 32)) ]; }
goes_on() {
  before=$(writes)
  wait_until "fio goes on $1" have_written
  kill -0 $verifier 2> /dev/null || fail "fio has ended $1: $(cat /run/test/fio)"
}
main_pid() { systemctl show -p MainPID --value $unit; }
is_started() { [ "$(main_pid)" != 0 ] && [ "$(main_pid)" != "$pid" ] && systemctl -q is-active $unit; }

goes_on "before"
equal "the unit lets each queue's thread run before programs" "$(real_time_threads "$(main_pid)")" "$(nproc)"
for round in $(seq $kills); do
  pid=$(main_pid)
  equal "the set is served by what systemd started" "$(set_pid data)" "$pid"
  kill_set data
  wait_until "systemd starts it again" is_started
  goes_on "after kill $round"
done
# udev may be first: main was closed by who had written to it, which is an event of a device that wants the
# unit. Those starts are not counted.
[ "$(systemctl show -p NRestarts --value $unit)" -ge 1 ] || fail "it was never the unit's Restart="
end_verifier
wait $verifier || true
grep -q "err= 0" /run/test/fio || fail "a request failed, or read something else: $(cat /run/test/fio)"
grep -q " /mnt ext4 rw" /proc/mounts || fail "the file system takes no writes any more"
equal "runs that were killed" "$(dmremap events data --json | grep -c '"kind": *"died"')" $kills
systemctl status $unit > /run/test/status 2>&1 || true
echo "all of it"
END

before=$(dmesg | wc -l)
boot killed
cat /run/test/said
cp /run/test/fio /run/test/status "$OUT" || true
equal "it came to its end" "$(tail -n 1 /run/test/said)" "all of it"
errors() { dmesg | tail -n +$((before + 1)) | grep -c -e "I/O error" -e "EXT4-fs error" || true; }
equal "errors of the kernel" "$(errors)" 0
check "the file system was unmounted cleanly" e2fsck -fn "$(drive_node MAIN1)"
equal "and so was the set" "$(sed -n 's/^served = //p' /etc/dm-remap/claims.d/data)" no
