#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The module is upgraded under a set: its file is exchanged, as a package does. The loaded one serves on,
# also for the next process; it cannot be unloaded. The new one is loaded when the set was stopped.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

set_over_ram
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
serve_by_target set
check "some sectors move" dmremap remap set 40960+8
write_at "$node" 40960 8 < data
is_loaded() { lsmod | grep -q '^dm_remap '; }

module=$(modinfo -n dm_remap)
mv "$module" new.ko
refused "it is not unloaded while a set has it" rmmod dm_remap
exec 9< "$node"
kill_set set
dmremap start set > said 2>&1 || fail "it does not start: $(cat said)"
grep -q "took over" said || fail "$(cat said)"
read_at "$node" 40960 8 | cmp - data || fail "something else is read of what moved"
exec 9<&-
check "it is stopped" dmremap stop set
check "it stays until it is unloaded" is_loaded
check "then it is" rmmod dm_remap
refused "without its file there is none" dmremap start set --export dm
mv new.ko "$module"
serve_by_target set
read_at "$node" 40960 8 | cmp - data || fail "something else is read of what moved"
check "it is stopped" dmremap stop set
