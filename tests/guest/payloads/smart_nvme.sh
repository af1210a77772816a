#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# An NVMe device that warns of its own spare: `create` says so, and the running set asks it, believes it
# and counts it in its verdict, with the numbers of the device's log page.
#: kernels 6.12 6.1
#: timeout 240
#: programs smartctl
#: drive flash 64MiB
#: device nvme,drive=flash,serial=FLASH-1,smart_critical_warning=1
. ../lib.sh

flash=$(drive_node FLASH-1)
ram_disk 32
dmremap create disk "$flash" /dev/ram0 2> /tmp/warnings
cat /tmp/warnings
check "create passes the warning on" grep -q "the drive expects to fail (SMART)" /tmp/warnings
serve disk --export fuse

# asked: the running set has its first answer. It asks soon after it has been started.
asked() {
  dmremap status disk --json > "$OUT/status.json" || [ $? = 4 ]
  [ "$(field "$OUT/status.json" asked)" != null ]
}
wait_until "the drive is asked" asked
equal "it answers" "$(field "$OUT/status.json" believed)" true
text='the device has 0 % of its own spare left, and warns from 0 %'
check "its log page is what the verdict rests on" grep -qF "\"text\": \"$text\"" "$OUT/status.json"
equal "the verdict" "$(field "$OUT/status.json" verdict)" '"replace-soon"'
equal "the score" "$(field "$OUT/status.json" score)" 55
dmremap status disk > "$OUT/status" || [ $? = 4 ]
check "people see it too" grep -q "replace-soon: $text" "$OUT/status"
