#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of bench/scrub_virtual.py: runs of requests to sets on lab's disks with an arm, one
# after another. The file `plan`, which the host wrote, has a line for each:
#   bed MODE                     from here on another set, on a new disk with such an arm
#   run SIDE FILE OPTION...      a run of bench_latency; SIDE is alone, scan, or full for a scan at full
#                                speed. Latencies go to FILE, and what the scan did to FILE.scan.
#   stop                         the set and its disk
#: icount yes
#: timeout 14400
#: memory 2048
#: programs {build}/bin/bench_latency
# shellcheck source=../tests/guest/lib.sh
. ../lib.sh

image=/dev/shm/disk.img
spare=/dev/shm/spare.img
size=16G

tell_said() { cat said; }
at_exit tell_said

start_bed() {
  truncate -s $size $image
  dmremap-lab serve $image /run/disk --front ublk --background > said
  dmremap create box "$(readlink /run/disk)" $spare --spare-size 64MiB >> said 2>&1
  node=$(dmremap start box --export ublk)
  # It begins at once, not ten minutes after the start of the set.
  dmremap scrub box start >> said
  dmremap scrub box pause >> said
  # Only now: what has been written so far need not wait for it.
  dmremap-lab mode /run/disk "$1"
}

stop_bed() {
  dmremap-lab mode /run/disk instant
  dmremap stop box > said
  dmremap-lab stop /run/disk > said
  rm $image $spare
  # What is known here of the set.
  rm -rf /etc/dm-remap /var/lib/dm-remap
}

# how_far WHEN JSON-FILE: as a line.
how_far() {
  echo "$1 $(cut -d ' ' -f 1 /proc/uptime) $(field "$2" passes) $(field "$2" scanned_sectors)"
}

run() {
  side=$1
  file=$OUT/$2
  shift 2
  case $side in
    scan) dmremap scrub box resume --json > before ;;
    full) dmremap scrub box start --now --json > before ;;
  esac
  [ "$side" = alone ] || how_far before before > "$file.scan"
  bench_latency "$node" "$@" > "$file"
  [ "$side" != alone ] || return 0
  dmremap scrub box pause --json > after
  how_far after after >> "$file.scan"
}

while read -r word rest; do
  # shellcheck disable=SC2086  # words of their own
  case $word in
    bed) start_bed "$rest" ;;
    run) run $rest < /dev/null ;;
    stop) stop_bed ;;
  esac
  echo "$word $rest"
done < plan
