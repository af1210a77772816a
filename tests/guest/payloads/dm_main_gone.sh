#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By the kernel target: main is gone and comes back. Nothing of it is remapped; requests fail meanwhile,
# and all goes on afterwards.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

lab_set set 64
serve_by_target set
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
flush() { dd of="$node" bs=4096 count=0 conv=notrunc,fsync 2> dd.err; }
condition() { dmremap status set --json > set.json; grep -q "$1" set.json; }
good() { ! condition tripped; }

write_at "$node" 20480 8 < data
check "a flush" flush
dmremap-lab unplug main
refused "a read while main is gone" read_at "$node" 20480 8
wait_until "the set says so" condition tripped
equal "all is withheld" "$(state set marked)" 64
refused "a write while main is gone" write_at "$node" 20480 8 < data
dmremap-lab replug main
wait_until "main is taken back" good
# What the disk had in its cache when it went may be lost, and no flush of it will say so.
flush || true
check "the next flush" flush
read_at "$node" 20480 8 | cmp - data || fail "something else is read"
wait_until "what is clean is cleared again" few_marked set
past_engine set "requests go past the engine again" writes_from "$node" 20480 8 data
status_of set
equal "nothing is remapped" "$(field set.json remapped_sectors)" 0
equal "nothing is lost" "$(field set.json lost_sectors)" 0
