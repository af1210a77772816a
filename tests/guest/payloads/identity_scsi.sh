#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 8 with disks that have names: rows of the matrix of identity on SCSI disks, partitions and
# device-mapper devices, asked of the code that gathers facts (tests/identity/identity_probe.cpp).
#: kernels 6.12
#: timeout 600
#: programs {build}/bin/identity_probe mkfs.ext4
. ../lib.sh

count=0
# asked WHAT OUTCOME DEVICE...: what becomes of these devices.
asked() {
  _what=$1
  _outcome=$2
  shift 2
  identity_probe ask /tmp/was "$@" > /tmp/said || true
  equal "$_what" "$(head -n 1 /tmp/said)" "$_outcome"
  count=$((count + 1))
}
# taken WHAT PATH DEVICE...: PATH is taken of these devices.
taken() {
  _taken=$1
  _path=$2
  shift 2
  asked "$_taken" "taken $_path" "$@"
}
# refused_as WHAT CODE DEVICE...: none of them is.
refused_as() {
  _refused=$1
  _code=$2
  shift 2
  asked "$_refused" "refused $_code" "$@"
  case $_code in main-unproven) grep -q -- --accept-main /tmp/said || fail "$_refused: no consent named" ;; esac
}
boot_id=/proc/sys/kernel/random/boot_id
another_boot() {
  echo 11111111-2222-4333-8444-555555555555 > /tmp/boot_id
  mount -o bind /tmp/boot_id $boot_id
}
same_boot() { umount $boot_id; }

# disks PARAMETER...: disks of scsi_debug in order, as $@ after `set -- $found`.
disks() {
  modprobe scsi_debug "$@"
  modprobe sd_mod
  sleep 1
  found=
  for _at in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*; do
    found="$found /dev/${_at##*/}"
  done
}
no_disks() {
  wait_until "scsi_debug is idle" rmmod scsi_debug
}

# --- two disks, each with names of its own
disks dev_size_mb=16 max_luns=2 vpd_use_hostno=0
# shellcheck disable=SC2086
set -- $found
a=$1
b=$2
mkfs.ext4 -q "$a"
identity_probe record /tmp/was "$a"
identity_probe facts "$a" | tee "$OUT/facts"
grep -q "^NAA id" "$OUT/facts" || fail "the disk has an id"
grep -q "^serial number" "$OUT/facts" || fail "the disk has a serial number"
taken "a disk as it was" "$a" "$a"
refused_as "another disk at its node" wrong-main "$b"
taken "main behind another node, another disk at its own" "$a" "$b" "$a"
dd if="$a" of="$b" bs=1M status=none
refused_as "a copy on another disk" wrong-main "$b"
taken "main beside its copy" "$a" "$b" "$a"
another_boot
taken "after a boot" "$a" "$a"
refused_as "the copy after a boot" wrong-main "$b"
same_boot

# --- device-mapper: its UUID is copied with the disk
size=$(cat "/sys/block/${a#/dev/}/size")
map() {
  dmsetup create lv --uuid LVM-test --table "0 $size linear $1 0"
  dmsetup mknodes
}
map "$a"
identity_probe record /tmp/was /dev/mapper/lv
taken "a volume as it was" /dev/mapper/lv /dev/mapper/lv
dmsetup remove lv
map "$b"
refused_as "a volume of the same UUID on a copied disk" main-unproven /dev/mapper/lv
dmsetup remove lv
map "$a"
another_boot
taken "the volume made anew on its disk" /dev/mapper/lv /dev/mapper/lv
same_boot
dmsetup remove lv
identity_probe record /tmp/was "$a"

# --- unplugged, and back under another node
echo 1 > "/sys/block/${a#/dev/}/device/delete"
refused_as "main is away" wrong-main "$b"
for host in /sys/class/scsi_host/host*; do
  [ "$(cat "$host/proc_name")" = scsi_debug ] && echo "- - -" > "$host/scan"
done
_back() {
  for _disk in /sys/block/sd*; do
    [ "/dev/${_disk##*/}" = "$b" ] || { again=/dev/${_disk##*/} && [ -b "$again" ] && return; }
  done
  return 1
}
wait_until "the disk is back" _back
taken "main came back" "$again" "$b" "$again"
no_disks

# --- the same disk by another way: larger blocks, another size
disks dev_size_mb=16 vpd_use_hostno=0 sector_size=4096
# shellcheck disable=SC2086
set -- $found
refused_as "a bridge that shows larger blocks" block-size "$1"
no_disks
disks dev_size_mb=24 vpd_use_hostno=0
# shellcheck disable=SC2086
set -- $found
refused_as "a disk that grew" main-resized "$1"
identity_probe accept /tmp/was "$1"
taken "that it grew is said once" "$1" "$1"
no_disks

# --- two disks of one name: it proves nothing, now and ever since
disks dev_size_mb=16 vpd_use_hostno=0 add_host=2
# shellcheck disable=SC2086
set -- $found
identity_probe record /tmp/was "$1"
taken "within one boot the attachment tells" "$1" "$2" "$1"
another_boot
refused_as "two disks of one name" main-unproven "$1" "$2"
echo 1 > "/sys/block/${1#/dev/}/device/delete"
refused_as "the other one alone" main-unproven "$2"
same_boot
no_disks

# --- partitions
disks dev_size_mb=16 vpd_use_hostno=0 num_parts=2
# shellcheck disable=SC2086
set -- $found
identity_probe record /tmp/was "${1}1"
taken "a partition as it was" "${1}1" "${1}1"
refused_as "another partition of the disk" wrong-main "${1}2"
refused_as "the disk for its partition" wrong-main "$1"
another_boot
taken "the partition after a boot" "${1}1" "${1}1"
same_boot
no_disks
[ "$count" -ge 20 ] || fail "$count rows"
echo "$count rows on SCSI disks are decided as the matrix says"
