#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 14 with a real udev: while a set is enabled, served, or has data on its spare, bare main and
# its partitions have no links by UUID, label or partition UUID and no type but ours, and the set's own
# device has them. A copy of main is not hidden, and what is mounted is not taken back.
#: kernels 6.12
#: timeout 1200
#: drive whole 64MiB
#: device virtio-blk-pci,drive=whole,serial=WHOLE1
#: drive copy 64MiB
#: device virtio-blk-pci,drive=copy,serial=COPY1
#: drive spare 64MiB
#: device virtio-blk-pci,drive=spare,serial=SPARE1
#: programs /usr/bin/udevadm /usr/bin/lsblk mkfs.ext4 blkid {build}/bin/dmremap-udev
#: files {source}/tests/guest/udev.sh {source}/packaging/udev/59-dm-remap.rules.in
#: files /usr/lib/udev/rules.d/50-udev-default.rules /usr/lib/udev/rules.d/55-dm.rules
#: files /usr/lib/udev/rules.d/60-block.rules /usr/lib/udev/rules.d/60-persistent-storage-dm.rules
#: files /usr/lib/udev/rules.d/60-persistent-storage.rules /usr/lib/udev/rules.d/64-btrfs.rules
#: files /usr/lib/udev/rules.d/99-systemd.rules
. ../lib.sh
# shellcheck source=../udev.sh
. ./udev.sh

start_udev
whole=$(drive_node WHOLE1)
copy=$(drive_node COPY1)
spare=$(drive_node SPARE1)

# --- a whole disk with a file system
uuid=11111111-2222-4333-8444-555555555555
mkfs.ext4 -q -U $uuid -L DATA "$whole"
again
check "a disk of nobody is seen" seen "$whole"
equal "and has its link" "$(target $uuid)" "$whole"
check "a set" dmremap create data "$whole" "$spare"
again
check "created and no more, main is seen" seen "$whole"
equal "the spare is named for what it is" "$(property "$spare" ID_FS_TYPE)" dmremap_spare

dmremap enable data
again
check "enabled, main is hidden" hidden "$whole"
[ ! -e /dev/disk/by-uuid/$uuid ] || fail "by-uuid leads to $(target $uuid)"
[ ! -e /dev/disk/by-label/DATA ] || fail "by-label leads somewhere"
check "lsblk tells why" test "$(lsblk -no FSTYPE "$whole")" = dmremap_member
equal "the spare brings the set up" "$(property "$spare" SYSTEMD_WANTS)" dmremap@data.service
again change
check "a change of it changes nothing" hidden "$whole"

# --- a copy is not main
dd if="$whole" of="$copy" bs=1M status=none conv=fsync
again
check "a copy of main is not hidden" seen "$copy"
[ ! -e /dev/disk/by-uuid/$uuid ] || fail "by-uuid leads to $(target $uuid), not to the set that comes up"

# --- served, by each way there is
modprobe ublk_drv
for kind in block ublk; do
  check "starts by $kind" dmremap start data --export $kind
  again change
  device=$(readlink -f /dev/dm-remap/data)
  check "main is hidden while it is served by $kind" hidden "$whole"
  equal "the set's device has the link, before the copy" "$(target $uuid)" "$device"
  check "it is mounted by its UUID" mount UUID=$uuid /mnt
  equal "from the set's device" "$(awk '$2 == "/mnt" {print $1}' /proc/mounts)" "$device"
  umount /mnt
  check "data goes to the spare" dmremap remap data 4096+8
  check "stops" dmremap stop data
done
dd if=/dev/zero of="$copy" bs=1M count=1 status=none conv=fsync
dmremap disable data
again
check "disabled, with data on the spare, it stays hidden" hidden "$whole"

# --- what turns it off
dmremap start data --export block > /dev/null
check "all is brought back" dmremap unremap data 4096+8
check "stops" dmremap stop data
again
check "nothing is elsewhere: main is seen" seen "$whole"
mount "$whole" /mnt
dmremap enable data
again change
check "what is mounted is not taken back" seen "$whole"
umount /mnt
again change
check "after that it is hidden" hidden "$whole"
check "forgotten" dmremap claims --forget data
again
check "it is seen again" seen "$whole"
