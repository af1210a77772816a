#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set is replaced ten times under load, and its users notice nothing.
#: kernels 6.12
#: when all
#: timeout 900
#: programs fio
#: files {source}/tests/guest/ublk.sh
. ../lib.sh
# shellcheck source=../ublk.sh
. ./ublk.sh

replaced_under_load 10
check "it is stopped" dmremap stop rep
