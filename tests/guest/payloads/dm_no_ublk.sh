#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Debian's own kernel has no ublk: there the kernel target is refused, with the reason.
#: kernels 6.1
#: timeout 300
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

ram_disks 1 64
check "a set is made" dmremap create set /dev/ram0 ./spare.img --spare-size 32MiB
refused "a start by the kernel target" dmremap start set --export dm
grep -q "no ublk driver" /tmp/said || fail "$(cat /tmp/said)"
if dmsetup ls | grep -q set; then fail "something is left: $(dmsetup ls)"; fi
