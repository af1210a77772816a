#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A main with partitions, by the kernel target, on which the kernel finds none: the set makes them, with
# links that stay the same. They outlive the process, and end with the set.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

lab_set parts 64
link=/dev/dm-remap/parts

serve_by_target parts
equal "no partition yet" "$(echo $link*)" "$link"
{ partition_entry 2048 32768; partition_entry 34816 32768; } > two
check "it is partitioned" partition_table "$node" two
part() { readlink -f "$link-part$1"; }
size_of() { cat "/sys/block/$(basename "$(part "$1")")/size" 2> /dev/null; }
has() { [ -b "$(part "$1")" ] && [ "$(size_of "$1")" = "$2" ]; }
has_two() { has 1 32768 && has 2 32768; }
wait_until "the partitions are there" has_two

# What is written to one is there, also on the spare.
check "sectors of a partition move" dmremap remap parts 40960+8
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
write_at "$(part 2)" $((40960 - 34816)) 8 < data
read_at "$node" 40960 8 | cmp - data || fail "something else is at its place on the disk"

# A table that cannot be read says nothing of them: they stay, and are looked at again when it can be.
closed_by_a_writer() { dd of="$node" bs=4096 count=0 conv=notrunc 2> dd.err; }
# libblkid takes a disk for one without a table whose second sector does not read.
dmremap-lab fault main read:ENODATA 1+1
check "what is cached of it is dropped" blockdev --flushbufs "$node"
refused "its table is not read" read_at "$node" 0 8
check "somebody has had it open for writing" closed_by_a_writer
sleep 10
has_two || fail "they are gone, and nobody has changed the table"
check "somebody removes one" dmsetup remove parts-part2
dmremap-lab clear main
check "the disk reads again" dmremap retry parts 0+8
wait_until "it is there again" has_two

exec 9< "$link-part1"
refused "it is not stopped while a partition is open" dmremap stop parts
has_two || fail "they are gone"
# A kill leaves them, in use or not.
first=$(part 1)
kill_set parts
refused "another export does not take the partition away" dmremap start parts --export ublk
grep -q "partition 1" /tmp/said || fail "it does not say who uses it: $(cat /tmp/said)"
check "it is taken over" dmremap start parts --export dm
has_two || fail "they are gone"
equal "the same one" "$(part 1)" "$first"
read_at "$(part 2)" $((40960 - 34816)) 8 | cmp - data || fail "something else is read"

# The table changes: one that is in use stays until it is not.
partition_entry 2048 16384 > one
check "it is partitioned anew" partition_table "$node" one
gone() { [ ! -e "$link-part2" ]; }
wait_until "the second one goes" gone
equal "the first is as it was" "$(size_of 1)" 32768
exec 9<&-
smaller() { has 1 16384; }
wait_until "and gets its size when nobody uses it" smaller
check "it is stopped" dmremap stop parts
# A link that leads nowhere is left, too.
none_left() { [ -z "$(ls -ld $link* /sys/block/dm-* 2> /dev/null)" ]; }
wait_until "nothing is left" none_left
node=$(dmremap start parts --export dm)
check "they are there at once" smaller
# Behind our back: nothing of the set is left by its end, links neither.
check "somebody removes a partition" dmsetup remove parts-part1
check "and the device" dmsetup remove parts
wait_until "nothing is left" none_left
node=$(dmremap start parts --export dm)
check "they are there at once" smaller
check "it is stopped" dmremap stop parts
