#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set is replaced under load, and its users notice nothing; what cannot be replaced
# goes on.
#: kernels 6.12
#: timeout 600
#: programs fio
#: files {source}/tests/guest/ublk.sh
. ../lib.sh
# shellcheck source=../ublk.sh
. ./ublk.sh

replaced_under_load 2
check "it is stopped" dmremap stop rep

# What does not wait in the kernel is not replaced.
dmremap start rep --export fuse > /dev/null
before=$(set_pid_of_file rep)
refused "a file is not handed over" dmremap start rep --export fuse --replace
equal "its process goes on" "$(set_pid_of_file rep)" "$before"
check "it is stopped" dmremap stop rep
check "where none runs, it is a start" dmremap start rep --export ublk --replace
check "it is stopped" dmremap stop rep
