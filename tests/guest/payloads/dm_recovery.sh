#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set that is served by the kernel target is killed under load, and started again: no
# request fails, and none reads something else. Main fails meanwhile, and sectors of it move.
#: kernels 6.12
#: timeout 900
#: programs fio
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

killed_under_load 3
check "it is stopped" dmremap stop rec

# With another export the target is cleared away when nobody uses it, and refused when somebody does.
node=$(dmremap start rec --export dm)
kill_set rec
exec 9< "$node"
refused "a target that is in use is not cleared away" dmremap start rec --export ublk
grep -q "takes it over" /tmp/said || fail "the way out is not said: $(cat /tmp/said)"
exec 9<&-
check "an unused one is" dmremap start rec --export ublk
if dmsetup info rec > /dev/null 2>&1; then fail "the target stays"; fi
check "it is stopped" dmremap stop rec
