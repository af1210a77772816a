#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A set as a ublk device: what it looks like, what it holds, who may stop it.
#: kernels 6.12
#: timeout 900
#: programs fio mkfs.ext4 e2fsck
. ../lib.sh

scsi_disk 64 sector_size=512
check "a set is made" dmremap create exp "$disk" ./spare.img --spare-size 32MiB
at_exit stop_set exp
node=$(dmremap start exp --export ublk)
case $node in /dev/ublkb*) ;; *) fail "not a ublk device: $node" ;; esac
equal "the link leads to it" "$(readlink /dev/dm-remap/exp)" "$node"
queue=/sys/block/${node##*/}/queue
main=/sys/block/${disk##*/}/queue
for limit in logical_block_size physical_block_size rotational; do
  equal "$limit is main's" "$(cat "$queue/$limit")" "$(cat "$main/$limit")"
done
equal "it has a cache to flush" "$(cat "$queue/write_cache")" "write back"
equal "and takes FUA" "$(cat "$queue/fua")" 1
equal "it has main's size" "$(blockdev --getsz "$node")" "$(blockdev --getsz "$disk")"
status_of exp
equal "the export is reported" "$(field set.json kind)" '"ublk"'
equal "each queue's thread runs before programs" "$(real_time_threads "$(set_pid exp)")" "$(nproc)"
locked_kb() { grep VmLck "/proc/$(set_pid exp)/status" | grep -o '[0-9]*'; }
locked=$(locked_kb)

check "what is written is read" fio --output-format=terse --output=/dev/null --name=v \
  --filename="$node" --direct=1 --ioengine=io_uring --iodepth=64 --rw=randwrite --bsrange=4k-256k \
  --size=48m --io_size=40m --fsync=32 --verify=crc32c --verify_fatal=1 --randrepeat=0
check "and is on main, as it is healthy" cmp -n 50331648 "$node" "$disk"

check "a file system is made" mkfs.ext4 -q -F "$node"
mkdir -p /mnt/exp
check "and mounted" mount "$node" /mnt/exp
check "and written to" dd if=/dev/urandom of=/mnt/exp/file bs=64k count=200 conv=fsync
cp /mnt/exp/file /tmp/file
refused "it is not stopped while mounted" dmremap stop exp
grep -q "mounted on /mnt/exp" /tmp/said || fail "who uses it is not said: $(cat /tmp/said)"
check "and unmounted" umount /mnt/exp
check "it is sound" e2fsck -fn "$node"
exec 9< "$node"
refused "it is not stopped while it is open" dmremap stop exp
exec 9<&-
check "it is stopped" dmremap stop exp
[ ! -e "$node" ] || fail "the node stays"
[ ! -L /dev/dm-remap/exp ] || fail "the link stays"

equal "auto takes ublk where the kernel has it" "$(dmremap start exp)" "$node"
check "what was written is there" mount -o ro "$node" /mnt/exp
cmp /mnt/exp/file /tmp/file || fail "the file is another one"
umount /mnt/exp
check "it is stopped" dmremap stop exp
dmremap start exp --read-only --export ublk > /dev/null
equal "a read-only set is a read-only device" "$(blockdev --getro "$node")" 1
check "it is stopped" dmremap stop exp
case $(dmremap start exp --export block) in /dev/loop*) ;; *) fail "no loop device" ;; esac
echo "locked memory of an idle set: $locked kB by ublk, $(locked_kb) kB by loop and FUSE"
check "by ublk that is at most 32 MiB" [ "$locked" -le 32768 ]
# Who looked at the device when it appeared has had threads made, which end when they are not needed.
is_small() { [ "$(locked_kb)" -le 32768 ]; }
wait_until "and by loop and FUSE" is_small
check "it is stopped" dmremap stop exp

# Sectors that do not read (scsi_debug: reads alone fail).
echo 2 > /sys/module/scsi_debug/parameters/opts
echo 20480 > /sys/module/scsi_debug/parameters/medium_error_start
echo 8 > /sys/module/scsi_debug/parameters/medium_error_count
dmremap start exp --export ublk > /dev/null
refused "a bad sector is an error" read_at "$node" 20480 8
status_of exp
equal "and lost" "$(field set.json lost_sectors)" 8
dd if=/dev/urandom of=/tmp/data bs=4096 count=1 2> /dev/null
check "it is written" write_at "$node" 20480 8 < /tmp/data
read_at "$node" 20480 8 > /tmp/back
cmp /tmp/data /tmp/back || fail "another data is read"
status_of exp
equal "and remapped" "$(field set.json remapped_sectors)" 8
check "it is stopped" dmremap stop exp
