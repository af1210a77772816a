#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process is killed before every step of the stop that makes, changes or removes a device. The next
# start serves the set, with all that was acknowledged.
#: kernels 6.12
#: timeout 600
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/mapper_shim.so
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

crash_set
# 7 suspends the target, 8 removes it, 9 removes set-main when all else is done.
killed_before stop 7 8
killed_before late 9
