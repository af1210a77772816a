#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The real systemd boots, in namespaces of its own, with a set that was enabled and an fstab that names
# nothing but the file system's UUID: it is mounted from the set's device, with the disks in any order and
# one of them late; it is stopped cleanly at the shutdown; and where the spare does not come, nothing is
# mounted at all, and the reason stands in the log.
#: kernels 6.12
#: when all
#: timeout 1500
#: memory 2048
#: drive main 64MiB
#: device virtio-blk-pci,drive=main,serial=MAIN1
#: drive spare 64MiB
#: device virtio-blk-pci,drive=spare,serial=SPARE1
#: packages systemd udev kmod
#: programs unshare mkfs.ext4 e2fsck blkid {build}/bin/dmremap-udev
#: modules virtio_blk
#: files {source}/packaging/udev/59-dm-remap.rules.in
#: files {source}/packaging/dmremap@.service.in {source}/packaging/dm-remap-modules.service.in
. ../lib.sh

main=$(drive_node MAIN1)
spare=$(drive_node SPARE1)
uuid=44444444-2222-4333-8444-555555555555

mkdir -p /etc/systemd/system /lib/modules /mnt /run/test
sed 's|@UDEVDIR@|/usr/bin|' 59-dm-remap.rules.in > /usr/lib/udev/rules.d/59-dm-remap.rules
for program in mount umount systemctl sh; do
  [ -e /bin/$program ] || ln -s "$(command -v $program)" /bin/$program
done
unit=/etc/systemd/system/dmremap@.service
sed 's|@SBINDIR@|/usr/bin|' dmremap@.service.in > $unit
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
echo "UUID=$uuid /mnt ext4 nofail,x-systemd.device-timeout=60 0 0" > /etc/fstab
# What a boot is here: local file systems, and then this, which looks around and turns the machine off.
cat > /etc/systemd/system/look.service << 'END'
[Unit]
DefaultDependencies=no
After=local-fs.target mnt.mount dev-disk-by\x2duuid-44444444\x2d2222\x2d4333\x2d8444\x2d555555555555.device
Wants=mnt.mount systemd-udevd.service systemd-udev-trigger.service
[Service]
Type=oneshot
ExecStart=/bin/sh /run/test/look
END
cat > /run/test/look << 'END'
awk '$2 == "/mnt" {print $1}' /proc/mounts | xargs -r readlink -f > /run/test/mounted
readlink -f /dev/dm-remap/data > /run/test/device
systemctl status dmremap@data.service > /run/test/status 2>&1
for at in /dev/vd* /dev/ublkb*; do udevadm info "$at"; done >> /run/test/status 2>&1
[ ! -s /run/test/mounted ] || date > /mnt/booted
systemctl --no-block poweroff
END

# boot NAME: from its first process to its last.
boot() {
  rm -f /run/test/mounted /run/test/device
  # What a machine has not kept when it starts.
  mount -o remount,rw /  # a shutdown leaves it read-only
  rm -rf /run/udev /run/systemd /run/dmremap /dev/disk /dev/dm-remap /dev/block
  unshare --mount --pid --fork --mount-proc --kill-child /usr/lib/systemd/systemd \
    --system --unit=look.service --log-target=console --show-status=1 < /dev/null > "$OUT/$1" 2>&1 || true
  [ -e /run/test/mounted ] || fail "$1: it did not come up: $(tail -n 5 "$OUT/$1")"
  cp /run/test/status "$OUT/$1.status"
}

mkfs.ext4 -q -U $uuid "$main"
check "a set" dmremap create data "$main" "$spare"
dmremap enable data

boot normal
equal "it is mounted from the set's device" "$(cat /run/test/mounted)" "$(cat /run/test/device)"
[ -s /run/test/mounted ] || fail "nothing is mounted"
check "the file system was unmounted cleanly" e2fsck -fn "$main"
equal "and so was the set" "$(sed -n 's/^served = //p' /etc/dm-remap/claims.d/data)" no

pci_of() { basename "$(readlink -f "/sys/block/${1#/dev/}/device/..")"; }
for late in "$spare" "$main"; do
  pci=$(pci_of "$late")
  echo 1 > "/sys/bus/pci/devices/$pci/remove"
  (sleep 15 && echo 1 > /sys/bus/pci/rescan) &
  boot "late"
  wait
  equal "late, it is mounted from the set's device" "$(cat /run/test/mounted)" "$(cat /run/test/device)"
  [ -s /run/test/mounted ] || fail "nothing is mounted"
  spare=$(drive_node SPARE1)
  main=$(drive_node MAIN1)
  equal "and stopped cleanly" "$(sed -n 's/^served = //p' /etc/dm-remap/claims.d/data)" no
done

echo 1 > "/sys/bus/pci/devices/$(pci_of "$spare")/remove"
boot missing
equal "without its spare nothing is mounted" "$(cat /run/test/mounted)" ""
check "and the log says what is missing" grep -q "it was last seen at" /run/test/status

# The canary: without the rule bare main is mounted.
mount -o remount,rw /
rm /usr/lib/udev/rules.d/59-dm-remap.rules
boot canary
equal "without the rule bare main is mounted" "$(cat /run/test/mounted)" "$main"
mount -o remount,rw /
