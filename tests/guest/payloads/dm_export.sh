#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A set by the kernel target: a file system on it, bad sectors under it, what goes past the engine and
# what does not, a stop that is refused, and what is there after a stop and a start.
#: kernels 6.12
#: timeout 600
#: programs mkfs.ext4 e2fsck
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

lab_set set 128
# On main these sectors take no writes and give none back, from the first moment on.
dmremap-lab fault main read:ENODATA+write:ENODATA 40960+16
node=$(dmremap start set --export dm) || fail "it does not start"
equal "the link leads to the target" "$(readlink -f /dev/dm-remap/set)" "$node"
equal "its name" "$(cat "/sys/block/$(basename "$node")/dm/name")" set
equal "main's" "$(dmsetup status set-main | cut -d' ' -f3)" linear
refused "main is held" dd if="$main" of="$main" bs=512 count=1 oflag=excl conv=notrunc
equal "regions" "$(state set regions)" 128
wait_until "what is clean is cleared" few_marked set

dd if=/dev/urandom of=data bs=1M count=1 2> dd.err
past_engine set "a clean write goes past the engine" writes_from "$node" 100000 2048 data
past_engine set "so does a read" reads_as "$node" 100000 2048 data

# A write to bad sectors: main fails it, the engine puts it on the spare, the region is marked.
write_at "$node" 40960 2048 < data
read_at "$node" 40960 2048 | cmp - data || fail "what was remapped reads as something else"
status_of set
equal "remapped" "$(field set.json remapped_sectors)" 16
case $(ask set marks 20) in
  20+*) echo "ok: marked" ;;
  *) fail "not marked: $(ask set marks 0)" ;;
esac

check "a file system" mkfs.ext4 -q -F "$node"
mounted "$node" /mnt
dd if=/dev/urandom of=/mnt/file bs=1M count=40 conv=fsync 2> dd.err
sum=$(sha256sum < /mnt/file)
refused "a stop while it is mounted" dmremap stop set
grep -q /mnt /tmp/said || fail "it does not say who uses it: $(cat /tmp/said)"
umount /mnt
check "it is stopped" dmremap stop set
if dmsetup info set > /dev/null 2>&1; then fail "the target stays"; fi
if dmsetup info set-main > /dev/null 2>&1; then fail "set-main stays"; fi
[ ! -e /dev/dm-remap/set ] || fail "the link stays"

node=$(dmremap start set --export dm) || fail "it does not start again"
check "the file system is sound" e2fsck -fn "$node"
mounted "$node" /mnt
equal "the file" "$(sha256sum < /mnt/file)" "$sum"
umount /mnt
check "it is stopped" dmremap stop set

# What was written past the engine is there without it too.
node=$(dmremap start set --export ublk) || fail "it does not start by ublk"
check "the file system is sound by ublk" e2fsck -fn "$node"
check "it is stopped" dmremap stop set
