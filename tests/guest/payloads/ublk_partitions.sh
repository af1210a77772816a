#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A main with partitions: they are there by ublk and by loop, with links that stay the same.
#: kernels 6.12
#: timeout 300
. ../lib.sh

truncate -s 64M main.img
check "a set is made" dmremap create parts ./main.img ./spare.img --spare-size 32MiB
at_exit stop_set parts
link=/dev/dm-remap/parts

links_lead_to() {
  [ "$(readlink -f "$link-part1")" = "$1" ] && [ "$(readlink -f "$link-part2")" = "$2" ]
}
none_left() { [ -z "$(ls $link* 2> /dev/null)" ]; }

node=$(dmremap start parts --export ublk)
equal "no partition yet" "$(ls $link*)" "$link"
{ partition_entry 2048 32768; partition_entry 34816 32768; } > two
partition_table "$node" two
check "it is partitioned" blockdev --rereadpt "$node"
wait_until "links to the partitions" links_lead_to "${node}p1" "${node}p2"
dd if=/dev/urandom of=data bs=4096 count=4 2> dd.err
check "a partition is written to" dd if=data of="$link-part2" bs=4096 oflag=direct conv=notrunc,fsync
exec 9< "$link-part1"
refused "it is not stopped while a partition is open" dmremap stop parts
exec 9<&-
check "it is stopped" dmremap stop parts
check "no link stays" none_left

for export in ublk block; do
  node=$(dmremap start parts --export $export)
  check "the partitions are there at once, by $export" links_lead_to "${node}p1" "${node}p2"
  dd if="$link-part2" bs=4096 count=4 iflag=direct 2> dd.err | cmp - data || fail "another data"
  check "it is stopped" dmremap stop parts
  check "no link stays" none_left
done

node=$(dmremap start parts --export ublk)
kill_set parts
check "it is taken over" dmremap start parts
check "the links are the same" links_lead_to "${node}p1" "${node}p2"
check "it is stopped" dmremap stop parts
