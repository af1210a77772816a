#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Promise 14 with a real udev, of a disk with partitions: each is hidden. `dmremap=off` turns it off for a
# rescue, and without the rule main is seen, which shows that all this can fail.
#: kernels 6.12
#: timeout 1200
#: drive plain 64MiB
#: device virtio-blk-pci,drive=plain,serial=PLAIN1
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
spare=$(drive_node SPARE1)

# --- a disk with partitions
{ partition_entry 2048 40960; partition_entry 43008 40960; } > two
partition_table "$plain" two
blockdev --rereadpt "$plain"
udevadm settle --timeout=120
mkfs.ext4 -q -U 22222222-2222-4333-8444-555555555555 "${plain}1"
again add
check "a partition is seen" seen "${plain}1"
case $(links "${plain}1") in *by-partuuid*) ;; *) fail "no link by partition UUID" ;; esac
check "a set over the disk" dmremap create parts "$plain" "$spare"
dmremap enable parts
again add
for part in "$plain" "${plain}1" "${plain}2"; do
  check "$part is hidden" hidden "$part"
done

# --- a rescue
sed 's/$/ dmremap=off/' /proc/cmdline > /tmp/cmdline
mounted /tmp/cmdline /proc/cmdline --bind
again add
check "dmremap=off turns all of it off" seen "${plain}1"
umount /proc/cmdline
again add
check "without it main is hidden again" hidden "${plain}1"

# --- the time that it costs
before=$(cut -d . -f 1 /proc/uptime)
for _ in $(seq 20); do DMREMAP_CONFIG_DIR=/etc/dm-remap dmremap-udev "$plain" > /dev/null; done
echo "20 answers took about $(($(cut -d . -f 1 /proc/uptime) - before)) s"

# --- the canary: without the rule
rm $udev_rules/59-dm-remap.rules
udevadm control --reload
again add
check "without the rule bare main is seen" seen "${plain}1"
