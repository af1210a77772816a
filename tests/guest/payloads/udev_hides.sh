#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 14 with a real udev: while a set is enabled, served, or has data on its spare, bare main and
# its partitions have no links by UUID, label or partition UUID and no type but ours, and the set's own
# device has them. A copy of main is not hidden, what is mounted is not taken back, and without the rule
# main is seen, which shows that all this can fail.
#: kernels 6.12
#: timeout 600
#: drive plain 64MiB
#: device virtio-blk-pci,drive=plain,serial=PLAIN1
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
plain=$(drive_node PLAIN1)
whole=$(drive_node WHOLE1)
copy=$(drive_node COPY1)
spare=$(drive_node SPARE1)

target() { readlink -f "/dev/disk/by-uuid/$1" || true; }

hidden() {
  [ "$(property "$1" ID_FS_TYPE)" = dmremap_member ] || return 1
  [ "$(property "$1" SYSTEMD_READY)" = 0 ] && [ "$(property "$1" UDISKS_IGNORE)" = 1 ] || return 1
  case $(links "$1") in
    *by-uuid* | *by-label* | *by-partuuid* | *by-partlabel*) return 1 ;;
  esac
}
seen() { [ "$(property "$1" ID_FS_TYPE)" = ext4 ] && [ -z "$(property "$1" SYSTEMD_READY)" ]; }

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
set=$(sed -n 's/^set = //p' /etc/dm-remap/claims.d/data)
check "forgotten" dmremap claims --forget data
again
check "it is seen again" seen "$whole"

# --- a disk with partitions
# A table of the PC's kind with an identifier: two partitions of 40960 sectors, from 2048 and 43008.
at() { dd of="$plain" bs=1 seek="$1" conv=notrunc,fsync status=none; }
printf '\102\103\104\105' | at 440
printf '\0\0\0\0\203\0\0\0\0\010\0\0\0\240\0\0' | at 446
printf '\0\0\0\0\203\0\0\0\0\250\0\0\0\240\0\0' | at 462
printf '\125\252' | at 510
blockdev --rereadpt "$plain"
udevadm settle --timeout=120
mkfs.ext4 -q -U 22222222-2222-4333-8444-555555555555 "${plain}1"
again
check "a partition is seen" seen "${plain}1"
case $(links "${plain}1") in *by-partuuid*) ;; *) fail "no link by partition UUID" ;; esac
check "a set over the disk" dmremap create parts "$plain" "$spare" --destroy "$set"
dmremap enable parts
again
for part in "$plain" "${plain}1" "${plain}2"; do
  check "$part is hidden" hidden "$part"
done

# --- a rescue
sed 's/$/ dmremap=off/' /proc/cmdline > /tmp/cmdline
mounted /tmp/cmdline /proc/cmdline --bind
again
check "dmremap=off turns all of it off" seen "${plain}1"
umount /proc/cmdline
again
check "without it main is hidden again" hidden "${plain}1"

# --- the time that it costs
before=$(cut -d . -f 1 /proc/uptime)
for _ in $(seq 20); do DMREMAP_CONFIG_DIR=/etc/dm-remap dmremap-udev "$plain" > /dev/null; done
echo "20 answers took about $(($(cut -d . -f 1 /proc/uptime) - before)) s"

# --- the canary: without the rule
rm $udev_rules/59-dm-remap.rules
udevadm control --reload
again
check "without the rule bare main is seen" seen "${plain}1"
