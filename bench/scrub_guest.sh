#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The guest's part of bench/scrub_virtual.py: runs of requests to sets on lab's disks with an arm, one
# after another. The file `plan`, which the host wrote, has a line for each:
#   bed MODE OPTION...           from here on another set, on a new disk with such an arm. Before it has
#                                one there is a run that does not count, if there are options.
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
  disk=$(readlink /run/disk)
  dmremap create box "$disk" $spare --spare-size 64MiB >> said 2>&1
  statistics=/sys/block/${disk#/dev/}/stat
  node=$(dmremap start box --export ublk)
  # It begins at once, not ten minutes after the start of the set.
  dmremap scrub box start >> said
  dmremap scrub box pause >> said
  mode=$1
  shift
  [ $# -eq 0 ] || bench_latency "$node" "$@" > /dev/null
  # Only now: what has been written so far need not wait for it.
  dmremap-lab mode /run/disk "$mode"
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

# What main has been asked to read.
reads() {
  read -r count _ < "$statistics"
  echo "$count"
}
main_is_read() { [ "$(reads)" != "$before" ]; }

# Some seconds after a write to the head of main the set looks whether it has another file system, in a
# moment in which nobody uses the disk. All runs begin right after such a look, with none left to be made, so
# that the next ones come in the same pauses with the scan and without it.
after_a_look() {
  # The set asks every five seconds whether there is something to look at.
  sleep 7
  before=$(reads)
  dd if=/dev/zero of="$node" bs=4k count=1 oflag=direct conv=notrunc status=none
  wait_until "the set has looked at main" main_is_read
  # It may have found that something changed, and look closer.
  until_quiet
}
until_quiet() {
  while :; do
    before=$(reads)
    sleep 0.1
    main_is_read || return 0
  done
}

run() {
  side=$1
  file=$OUT/$2
  shift 2
  after_a_look
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
    bed) start_bed $rest < /dev/null ;;
    run) run $rest < /dev/null ;;
    stop) stop_bed ;;
  esac
  echo "$word $rest"
done < plan
