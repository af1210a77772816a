#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The engine's side of the protocol and the module understand each other.
#: kernels 6.12 6.1
#: timeout 120
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
#: programs {build}/tests/kernel/target_control_trial
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
create r /dev/ram0 /dev/engine 8
equal "regions" "$(state r regions)" 16384
check "the trial" target_control_trial r
