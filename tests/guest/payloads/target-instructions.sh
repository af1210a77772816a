#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# A clean request through the target takes at most 1.02 times the instructions that it takes through
# dm-linear, also with 1 % of the regions marked. Main answers at once and holds nothing, so what is
# counted is the way there. bench/kernel_instructions.py prints the figures.
#: kernels 6.12 6.1
#: timeout 300
#: icount yes
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/request_cost
. ../lib.sh
. ./target.sh

requests=3000
modprobe null_blk nr_devices=1 gb=4 memory_backed=0 queue_mode=2 irqmode=0 submit_queues=1
at_exit rmmod null_blk
main=/dev/nullb0
sectors=$(blockdev --getsz $main)
dmsetup create l --table "0 $sectors linear $main 0"
dmsetup mknodes
at_exit dmsetup remove l
engine_disk engine 4096
create r $main /dev/engine
regions=$(state r regions)

# cost NAME DEVICE: into $OUT/costs, a line of NAME OPERATION BYTES INSTRUCTIONS.
cost() {
  for operation in read write; do
    echo "$1 $operation 4096 $(./request_cost "$2" $requests 4096 $operation)"
  done >> "$OUT/costs"
}

cost bare $main
cost linear /dev/mapper/l
ask r clear "0+$regions" > /tmp/said
cost clear /dev/mapper/r
ask r mark $(seq 0 100 $((regions - 1)) | sed 's/$/+1/') > /tmp/said
equal "1 % of the regions are marked" "$(state r marked)" $(((regions + 99) / 100))
cost one-percent /dev/mapper/r
cat "$OUT/costs"

# ratio NAME OPERATION: of dm-linear, in thousandths, rounded up.
ratio() {
  awk -v name="$1" -v operation="$2" '
    $2 == operation && $1 == "linear" { base = $4 }
    $2 == operation && $1 == name { ours = $4 }
    END { print int((ours * 1000 + base - 1) / base) }' "$OUT/costs"
}
for name in clear one-percent; do
  for operation in read write; do
    got=$(ratio $name $operation)
    [ "$got" -gt 900 ] && [ "$got" -le 1020 ] || fail "$name $operation: $got thousandths of dm-linear"
    echo "ok: $name $operation: $got thousandths of dm-linear"
  done
done
