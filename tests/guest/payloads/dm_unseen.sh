#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What goes past the engine counts all the same: the requests of `status`, slow sectors, and whether a
# copy is still one.
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
check "sectors move" dmremap remap set 20480+8
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err

status_of set
before=$(field set.json writes)
sent=$(state set sent)
for sector in 40960 43008 47104; do write_at "$node" $sector 8 < data; done
equal "they went past the engine" "$(state set sent)" "$sent"
status_of set
equal "writes that status counts" $(($(field set.json writes) - before)) 3

# A copy that a write past the engine has made old.
check "a copy" dmremap copy set ./copy.img
sent=$(state set sent)
write_at "$node" 40960 8 < data
equal "the write went past the engine" "$(state set sent)" "$sent"
check "it is stopped" dmremap stop set
refused "the copy is old" dmremap release --copied ./spare.img
grep -q "no verified copy" /tmp/said || fail "$(cat /tmp/said)"

# A sector that takes long, and reads.
serve_by_target set
dmremap-lab fault main slow:1500 49152+1
sent=$(state set sent)
read_at "$node" 49152 8 > back
equal "the read went past the engine" "$(state set sent)" "$sent"
is_suspect() {
  status_of set
  [ "$(field set.json suspect_sectors)" = 1 ]
}
wait_until "it is suspect" is_suspect
dmremap-lab clear main

# And a copy that is one.
check "a copy" dmremap copy set ./copy.img --force
check "it is stopped" dmremap stop set
check "the copy is as the set" dmremap release --copied ./spare.img
