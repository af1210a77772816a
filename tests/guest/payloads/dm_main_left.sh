#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# By the kernel target: the process is killed while it exchanges the table of what holds main, for the
# node that it has already. The next start makes that live again, with the table that it should have.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

set_over_ram
serve_by_target set
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
write_at "$node" 20480 8 < data
exec 9< "$node"

table=$(dmsetup table set-main)
goes_on() {
  dmremap start set --export dm > said 2>&1 || fail "$1: $(cat said)"
  grep -q "took over" said || fail "$1: it does not say that it took over: $(cat said)"
  equal "$1: the table" "$(dmsetup table set-main)" "$table"
  equal "$1: what waits to be live" "$(dmsetup table --inactive set-main)" ""
  equal "$1: the device" "$(dmsetup info -c --noheadings -o suspended set-main)" Active
  read_at "$node" 20480 8 | cmp - data || fail "$1: something else is read"
  dd of="$node" bs=4096 count=0 conv=notrunc,fsync 2> dd.err || fail "$1: a flush fails: $(cat dd.err)"
}

kill_set set
dmsetup load set-main --table "0 $(blockdev --getsz /dev/ram0) error"
goes_on "a table is loaded"
kill_set set
dmsetup load set-main --table "0 $(blockdev --getsz /dev/ram0) error"
dmsetup suspend --nolockfs set-main
goes_on "and the device suspended"
exec 9<&-
check "it is stopped" dmremap stop set
