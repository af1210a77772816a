#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An ATA disk below a set is asked through the kernel's SCSI layer, known by its serial number and
# believed; and how long the kernel waits for it is compared with how long it may try.
#: timeout 240
#: programs smartctl
#: modules ahci
#: drive plate 64MiB
#: device ide-hd,drive=plate,serial=PLATE-1,wwn=0x5000c500a1b2c3d4
. ../lib.sh

modprobe ahci
at_exit rmmod ahci
modprobe sd_mod
wait_until "the disk" test -b /dev/sda
ram_disk 32
dmremap create disk /dev/sda /dev/ram0 2> /tmp/warnings
cat /tmp/warnings
check "create says what the kernel is to be told" grep -qF \
  "echo 180 > /sys/block/sda/device/timeout" /tmp/warnings
serve disk --export fuse

# The running set asks soon after it has been started.
asked() {
  dmremap status disk --json > "$OUT/status.json" || [ $? = 4 ]
  [ "$(field "$OUT/status.json" asked)" != null ]
}
wait_until "the drive is asked" asked
equal "it is believed" "$(field "$OUT/status.json" believed)" true
equal "the kernel's patience" "$(field "$OUT/status.json" kernel_timeout_s)" 30
equal "the verdict" "$(field "$OUT/status.json" verdict)" '"good"'
if grep -q smart-unknown "$OUT/status.json"; then fail "nothing is unknown"; fi
