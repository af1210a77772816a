#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# What a request costs in instructions of the whole machine, user, kernel and server together: a
# set by each way that it can be served, beside the bare disk and dm-linear. In a guest that counts
# instructions the figures are the same whatever the host does. bench/kernel_instructions.py prints them.
#: kernels 6.12
#: icount yes
#: when all
#: timeout 900
#: programs date
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

few=4000
many=12000

# transfer read|write DEVICE COUNT: 4 KiB at a time, past the page cache, one after another.
transfer() {
  case $1 in
    read) dd if="$2" of=/dev/null bs=4k count="$3" iflag=direct 2> dd.err ;;
    write) dd if=/dev/zero of="$2" bs=4k count="$3" oflag=direct conv=notrunc 2> dd.err ;;
  esac
}
# instructions read|write DEVICE: of one request. Starting dd costs something, too.
instructions() {
  transfer "$1" "$2" 500
  begin=$(date +%s%N)
  transfer "$1" "$2" $few
  middle=$(date +%s%N)
  transfer "$1" "$2" $many
  end=$(date +%s%N)
  echo $(((end - middle - (middle - begin)) / (many - few)))
}
# row NAME DEVICE: a row of the table; the figures stay in $reads and $writes.
row() {
  reads=$(instructions read "$2")
  writes=$(instructions write "$2")
  printf '| %-34s | %7s | %7s |\n' "$1" "$reads" "$writes"
}
# bound NAME UBLK FUSE: the goal is 0.6.
bound() {
  echo "ublk to loop and FUSE, $1: $(($2 * 1000 / $3)) per mille"
  [ $(($2 * 100)) -le $(($3 * 60)) ] || fail "$1: more than 0.6 of loop and FUSE"
}

# compare NAME MAIN BARE: a set over MAIN; BARE is what dd may use of it by itself.
compare() {
  dmremap create "$1" "$2" "./$1.spare" --spare-size 32MiB > created
  at_exit stop_set "$1"
  row "$1: bare" "$3"
  if [ -b "$2" ]; then
    dmsetup create linear --table "0 $(blockdev --getsz "$2") linear $2 0"
    dmsetup mknodes
    row "$1: dm-linear" /dev/mapper/linear
    dmsetup remove linear
  fi
  row "$1: set, loop over FUSE" "$(dmremap start "$1" --export block)"
  fuse_reads=$reads
  fuse_writes=$writes
  dmremap stop "$1"
  row "$1: set, ublk" "$(dmremap start "$1" --export ublk)"
  dmremap stop "$1"
  bound "$1, reads" "$reads" "$fuse_reads"
  bound "$1, writes" "$writes" "$fuse_writes"
  [ -b "$2" ] || return 0
  # Places whose contents are known by heart are always the engine's: the mean is over all.
  node=$(dmremap start "$1" --export dm)
  wait_until "what is clean is cleared" few_marked "$1"
  row "$1: set, kernel target" "$node"
  [ "$reads" -le $((fuse_reads / 3)) ] || fail "reads by the kernel target: $reads"
  [ "$writes" -le $((fuse_writes / 3)) ] || fail "writes by the kernel target: $writes"
  dmremap stop "$1"
}

modprobe null_blk nr_devices=1 queue_mode=2 irqmode=0 gb=1 memory_backed=1
at_exit rmmod null_blk
echo '| 4 KiB, direct, one after another   |   reads |  writes |'
echo '|------------------------------------|---------|---------|'
compare null_blk /dev/nullb0 /dev/nullb0
truncate -s 64M image
compare image ./image image
