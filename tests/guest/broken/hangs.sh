#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The whole guest stands still: whatever else wants a processor waits for ever.
#: timeout 5
#: programs chrt
. ../lib.sh

sysctl -w kernel.sched_rt_runtime_us=-1
for cpu in 0 1; do
  taskset -c $cpu chrt -f 99 sh -c "while :; do :; done" &
done
wait
