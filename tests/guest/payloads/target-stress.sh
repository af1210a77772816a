#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Marks flip all the time under verified requests of all sizes, discards and file systems, with the kernel
# watching every allocation. Both ways lead to the same bytes.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
#: timeout 1800
#: when all
#: append slub_debug=FZPU
#: programs fio mkfs.ext4 e2fsck mkfs.xfs xfs_repair mkfs.btrfs btrfs
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

one_disk_twice 320
at_exit rm -f /tmp/contents
at_exit wait
at_exit touch /tmp/stop

flip() {
  while ! [ -f /tmp/stop ]; do
    for first in 1 17 40 77 150 200; do
      ask r mark $first+$((first / 3 + 1)) > /dev/null
      ask r drain 10000 $first+$((first / 3 + 1)) > /dev/null
    done
    ask r clear 0+80 90+70 > /dev/null
    ask r mark 3+9 > /dev/null
    ask r clear 0+256 > /dev/null
  done
}
verified() {
  check "fio by $1, $2" fio --name=v --filename=/dev/mapper/r "--rw=$2" --bsrange=4k-2m --size=32m \
    --loops=2 --verify=crc32c --verify_backlog=32 --direct=1 "--ioengine=$1" --iodepth=16 \
    --fsync=64 --output=/tmp/fio
}
for region in 2048 256; do
  dmsetup create r --table "0 655360 remap /dev/loop6 /dev/loop7 $region"
  dmsetup mknodes
  ask r clear "0+$(state r regions)" > /dev/null
  rm -f /tmp/stop
  flip &
  flips=$!
  verified io_uring randwrite
  verified libaio randrw
  check "fio with discards" fio --name=t --filename=/dev/mapper/r --rw=randtrimwrite \
    --bsrange=64k-4m --size=32m --direct=1 --ioengine=libaio --iodepth=8 --output=/tmp/fio
  for kind in ext4 xfs btrfs; do
    case $kind in
      ext4) mkfs.ext4 -q -F /dev/mapper/r ;;
      xfs) mkfs.xfs -q -f /dev/mapper/r ;;
      btrfs) mkfs.btrfs -q -f /dev/mapper/r ;;
    esac
    mount -t $kind -o discard /dev/mapper/r /mnt
    head -c 10000000 /dev/urandom > /tmp/contents
    for copy in 1 2 3; do
      cp /tmp/contents /mnt/$copy
      sync
      rm -f /mnt/$((copy - 1))
    done
    echo 3 > /proc/sys/vm/drop_caches
    check "$kind has kept a file" cmp /tmp/contents /mnt/3
    umount /mnt
    case $kind in
      ext4) check "e2fsck" e2fsck -fn /dev/mapper/r ;;
      xfs) check "xfs_repair" xfs_repair -n /dev/mapper/r ;;
      btrfs) check "btrfs check" btrfs check /dev/mapper/r ;;
    esac > /tmp/said 2>&1
    tail -n 1 /tmp/said
  done
  touch /tmp/stop
  wait $flips
  equal "nothing is left with the engine" "$(state r waiting)" 0
  dmsetup remove r
done
