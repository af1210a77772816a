#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By the kernel target: main is pulled out while its device is in use, and comes back under another name.
# It is held there as before, and requests go past the engine again; once it is back none fails.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

scsi_set
scsi_set_served
exec 9< "$node"

# Once main is back no request fails, though the table is exchanged under them.
hammer() {
  while [ ! -e enough ]; do
    if read_at "$node" 20480 8 > back 2> /dev/null && cmp -s back data; then
      echo good
    else
      echo bad
    fi
  done > hammered
}
moves
hammer &
hammer=$!
wait_until "main is taken back" is_good
# What the disk had in its cache when it went may be lost, and no flush of it will say so.
flush_node || true
check "the next flush" flush_node
wait_until "the target lies over main" lies_over set "$disk"
: > enough
wait $hammer
uniq -c hammered
[ "$(uniq hammered | tr '\n' ' ')" = "bad good " ] || [ "$(uniq hammered)" = good ] ||
  fail "requests fail after main was back"
is_served
status_of set
equal "nothing is lost" "$(field set.json lost_sectors)" 0
exec 9<&-
check "it is stopped" dmremap stop set
