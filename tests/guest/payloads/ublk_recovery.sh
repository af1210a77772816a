#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set is killed under load, and started again: its users notice nothing.
#: kernels 6.12
#: timeout 600
#: programs fio
#: files {source}/tests/guest/ublk.sh
. ../lib.sh
# shellcheck source=../ublk.sh
. ./ublk.sh

recovered_under_load 3
status_of rec
equal "nothing was lost" "$(field set.json lost_sectors)" 0
check "it is stopped" dmremap stop rec

# With another export the device is cleared away when nobody uses it, and refused when somebody does.
dmremap start rec --export ublk > /dev/null
kill_set rec
exec 9< "$node"
refused "a device that is in use is not cleared away" dmremap start rec --export fuse
grep -q "takes it over" /tmp/said || fail "the way out is not said: $(cat /tmp/said)"
exec 9<&-
check "an unused one is" dmremap start rec --export fuse
[ ! -e "$node" ] || fail "the node stays"
check "it is stopped" dmremap stop rec
