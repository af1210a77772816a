#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Somebody removes the ublk device of a set behind its back, as `ublk del` does: its users get errors,
# the set ends, and all that was acknowledged is there.
#: kernels 6.12
#: timeout 300
#: programs {build}/bin/ublk_remove
. ../lib.sh

truncate -s 64M main.img
check "a set is made" dmremap create gone ./main.img ./spare.img --spare-size 32MiB
at_exit stop_set gone
node=$(dmremap start gone --export ublk)
pid=$(set_pid gone)
dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
write_at "$node" 8192 8 < data
check "the device is removed" ublk_remove "${node#/dev/ublkb}"
ended() { [ ! -d "/proc/$pid" ] || grep -q "^State:.*Z" "/proc/$pid/status"; }
wait_until "the end of the set" ended
[ ! -e "$node" ] || fail "the node stays"
check "what was acknowledged is on main" cmp -n 4096 main.img data 4194304 0
node=$(dmremap start gone --export ublk)
read_at "$node" 8192 8 | cmp - data || fail "another data is read"
dmremap events gone
check "it is stopped" dmremap stop gone
