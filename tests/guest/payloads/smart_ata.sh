#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An ATA disk below a set is asked through the kernel's SCSI layer, known by its serial number and
# believed; and how long the kernel waits for it is compared with how long it may try, and set to that if
# the set is asked to, until it stops or, after a kill, until it is started again.
#: timeout 900
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

# --- QEMU's drive has no SCT ERC: the kernel is to be patient with it
patience() { cat /sys/block/sda/device/timeout; }
is_set() { [ "$(patience)" = 180 ]; }
is_put_back() { [ "$(patience)" = 30 ]; }
check "stops" dmremap stop disk
equal "nothing is set unless it is asked for" "$(patience)" 30
serve disk --export fuse --set-drive-timeouts
wait_until "the kernel waits for longer" is_set
wait_until "status says so" sh -c 'dmremap status disk | grep -q "is waited for 180 s (before: 30 s)"'
check "stops again" dmremap stop disk
equal "it is put back" "$(patience)" 30
serve disk --export fuse --set-drive-timeouts
wait_until "the kernel waits for longer" is_set
kill -9 "$(set_pid disk)"
serve disk --export fuse
wait_until "the next start puts it back" is_put_back
check "the last stop" dmremap stop disk
equal "it stays as it was" "$(patience)" 30
