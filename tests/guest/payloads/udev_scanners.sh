#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 14 against those who look at devices themselves and do not ask udev: neither `vgchange -ay` nor
# `mdadm --assemble --scan` nor `btrfs device scan` takes bare main while its set runs, or waits for its
# spare at boot. Where it is nobody's, they do.
#: kernels 6.12
#: when all
#: timeout 900
#: drive lvm 64MiB
#: device virtio-blk-pci,drive=lvm,serial=LVM1
#: drive raid 64MiB
#: device virtio-blk-pci,drive=raid,serial=RAID1
#: drive btrfs 128MiB
#: device virtio-blk-pci,drive=btrfs,serial=BTRFS1
#: programs /usr/bin/udevadm mkfs.btrfs btrfs blkid {build}/bin/dmremap-udev
#: packages lvm2 libdevmapper-event1.02.1 libaio1 mdadm
#: modules raid1 md_mod
#: files {source}/tests/guest/udev.sh {source}/packaging/udev/59-dm-remap.rules.in
#: files /usr/lib/udev/rules.d/50-udev-default.rules /usr/lib/udev/rules.d/55-dm.rules
#: files /usr/lib/udev/rules.d/60-block.rules /usr/lib/udev/rules.d/60-persistent-storage-dm.rules
#: files /usr/lib/udev/rules.d/60-persistent-storage.rules /usr/lib/udev/rules.d/64-btrfs.rules
#: files /usr/lib/udev/rules.d/95-dm-notify.rules /usr/lib/udev/rules.d/99-systemd.rules
. ../lib.sh
# shellcheck source=../udev.sh
. ./udev.sh

# What udev itself would do with the file systems' parts asks for their type; here others look.
rm -f $udev_rules/*md-raid* $udev_rules/*lvm*
start_udev
modprobe btrfs
modprobe md_mod
modprobe raid1
lvm=$(drive_node LVM1)
raid=$(drive_node RAID1)
btrfs=$(drive_node BTRFS1)

pvcreate -q "$lvm" > /dev/null
vgcreate -q vgdata "$lvm" > /dev/null
lvcreate -q -y -Wn -Zn -an -l 4 -n lvdata vgdata > /dev/null
mdadm --create /dev/md9 --run --force --level=1 --raid-devices=1 --metadata=1.2 "$raid" > /dev/null 2>&1
mdadm --stop --scan > /dev/null 2>&1
btrfs_uuid=33333333-2222-4333-8444-555555555555
mkfs.btrfs -q -U $btrfs_uuid "$btrfs"
again

# What each of them lies on now; empty: on nothing.
under_lvm() {
  vgchange -q -ay --config "devices { global_filter=[\"${filter:-a|.*|}\"] }" vgdata > /dev/null 2>&1 || true
  for _at in /sys/block/dm-*/slaves/*; do [ ! -e "$_at" ] || echo "/dev/${_at##*/}"; done
  vgchange -q -an vgdata > /dev/null 2>&1 || true
}
under_raid() {
  mdadm --assemble --scan > /dev/null 2>&1 || true
  for _at in /sys/block/md*/slaves/*; do [ ! -e "$_at" ] || echo "/dev/${_at##*/}"; done
  mdadm --stop --scan > /dev/null 2>&1 || true
}
under_btrfs() {
  btrfs device scan > /dev/null 2>&1 || true
  # The kernel mounts by what was scanned; the node says only which file system.
  mount -t btrfs "${1:-$btrfs}" /mnt 2> /dev/null || return 0
  awk '$2 == "/mnt" {print $1}' /proc/mounts
  umount /mnt
  btrfs device scan --forget > /dev/null 2>&1 || true
}

main=
for kind in lvm raid btrfs; do
  eval "main=\$$kind"
  equal "$kind: of nobody, it is taken" "$(under_$kind)" "$main"
  check "$kind: a set" dmremap create $kind "$main" /dev/shm/$kind.spare --spare-size 16MiB
  dmremap enable $kind > /dev/null
  again

  check "$kind: runs" dmremap start $kind --export block
  device=$(readlink -f /dev/dm-remap/$kind)
  again change
  found=$(under_$kind "$device")
  # LVM activates nothing while it sees one physical volume on two devices (docs/boot.md).
  [ $kind = lvm ] || equal "$kind: while it runs, its device is taken" "$found" "$device"
  [ -z "$found" ] || [ "$found" = "$device" ] || fail "$kind: while it runs, $found was taken"
  echo "ok: $kind: while it runs, bare main is not taken"
  if [ $kind = lvm ]; then
    filter="r|^$main\$|"
    equal "lvm: told to leave main alone, it takes the set's device" "$(under_lvm)" "$device"
    filter=
  fi
  udevadm settle --timeout=120
  check "$kind: stops" dmremap stop $kind

  mv /dev/shm/$kind.spare /dev/shm/$kind.away
  dmremap start $kind --export block --at-boot --foreground > /tmp/served 2> /tmp/waits &
  waits() { grep -q waiting /tmp/waits; }
  wait_until "$kind: waits for its spare" waits
  held() { ! dd if=/dev/null of="$main" oflag=excl 2> /dev/null; }
  wait_until "$kind: holds its main" held
  equal "$kind: while it waits, bare main is not taken" "$(under_$kind)" ""
  mv /dev/shm/$kind.away /dev/shm/$kind.spare
  served() { [ -s /tmp/served ]; }
  wait_until "$kind: is served when its spare is there" served
  udevadm settle --timeout=120
  dmremap stop $kind > /dev/null
  wait

  dmremap claims --forget $kind > /dev/null
  dmremap release /dev/shm/$kind.spare > /dev/null
  again
  equal "$kind: of nobody again, it is taken" "$(under_$kind)" "$main"
done
