# SPDX-License-Identifier: GPL-2.0-or-later
# What payloads about the kernel target share, after lib.sh. The target's devices are called by name; a
# RANGE of regions is FIRST+COUNT (kernel/dm-remap-protocol.h).

# Loaded by the first table; when the last is gone, nothing may hold the module.
unload() {
  if lsmod | grep -q '^dm_remap '; then rmmod dm_remap; fi
}
at_exit unload

request() { ./block_request "$@"; }

# create NAME MAIN ENGINE [REGION-SECTORS]: a target, until the payload ends; /dev/mapper/NAME.
create() {
  _sectors=$(blockdev --getsz "$2")
  dmsetup create "$1" --table "0 $_sectors remap $2 $3 ${4:-}" || return 1
  dmsetup mknodes
  at_exit dmsetup remove "$1"
}

# ask NAME VERB [ARGUMENT...]: the answer to a message, less the protocol and the instance.
ask() {
  _name=$1
  _verb=$2
  shift 2
  _hello=$(dmsetup message "$_name" 0 hello) || return 1
  _who=$(echo "$_hello" | cut -d' ' -f1-2)
  # shellcheck disable=SC2086 # protocol and instance are two words
  _answer=$(dmsetup message "$_name" 0 "$_verb" $_who "$@") || return 1
  case $_answer in
    "$_who "*) echo "${_answer#"$_who "}" ;;
    *) fail "an answer from somebody else: '$_answer' to '$_verb $*'" ;;
  esac
}

# state NAME WORD: the value of a word in the status.
state() { dmsetup status "$1" | tr ' ' '\n' | grep -A1 -x "$2" | tail -n 1; }

# ram_disks COUNT MIB: /dev/ram0 and so on, until the payload ends.
ram_disks() {
  modprobe brd "rd_nr=$1" "rd_size=$(($2 * 1024))"
  at_exit rmmod brd
}

# engine_disk NAME MIB: a disk that gets flushes, as an engine device must, at /dev/NAME.
engine_disk() {
  truncate -s "$2M" "/tmp/$1"
  _loop=$(/usr/bin/losetup -f --show "/tmp/$1")
  ln -s "$_loop" "/dev/$1"
  at_exit rm "/dev/$1" "/tmp/$1"
  at_exit losetup -d "$_loop"
}

# held_disk NAME DEVICE: DEVICE as /dev/mapper/NAME. After `hold NAME` requests to it wait, until
# `release NAME`.
held_disk() {
  dmsetup create "$1" --table "0 $(blockdev --getsz "$2") linear $2 0"
  dmsetup mknodes
  at_exit dmsetup remove "$1"
  at_exit dmsetup resume "$1"
}
hold() { dmsetup suspend "$1"; }
release() { dmsetup resume "$1"; }

# is_on_its_way NAME REGION: a request of this region has come as far as main. Marks it.
is_on_its_way() { [ "$(ask "$1" mark "$2+1")" = 1 ]; }
is_waiting() { [ "$(state "$1" waiting)" = "${2:-1}" ]; }

# slow_disk NAME DEVICE MILLISECONDS: DEVICE with a delay, as /dev/mapper/NAME.
slow_disk() {
  dmsetup create "$1" --table "0 $(blockdev --getsz "$2") delay $2 0 $3"
  dmsetup mknodes
  at_exit dmsetup remove "$1"
}

# bad_disk NAME DEVICE SECTOR COUNT: DEVICE with a hole that fails, as /dev/mapper/NAME.
bad_disk() {
  dmsetup create "$1" << END
0 $3 linear $2 0
$3 $4 error
$(($3 + $4)) $(($(blockdev --getsz "$2") - $3 - $4)) linear $2 $(($3 + $4))
END
  dmsetup mknodes
  at_exit dmsetup remove "$1"
}

# main_and_engine: /dev/ram0 to lie below main, and /dev/engine, 64 MiB each.
main_and_engine() {
  ram_disks 1 64
  engine_disk engine 64
}

# clear_target MAIN: the target r over MAIN and /dev/engine, of 64 regions, all of them clear.
clear_target() {
  create r "$1" /dev/engine
  ask r clear 0+64 > /dev/null
}

# few_marked NAME [MOST]: all but the places of which the engine knows the contents are clear.
few_marked() { [ "$(state "$1" marked)" -lt "${2:-30}" ]; }

# past_engine NAME WHAT COMMAND...: its requests go to main past the engine. At any moment somebody else
# may ask the engine for something, so it is tried again.
past_engine() {
  _name=$1
  what=$2
  shift 2
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    _sent=$(state "$_name" sent)
    "$@" || fail "$what: exit $? of: $*"
    if [ "$(state "$_name" sent)" = "$_sent" ]; then
      echo "ok: $what"
      return
    fi
    sleep 0.3
  done
  fail "$what: it goes by the engine"
}

# reads_as NAME SECTOR COUNT FILE, and writes_from: what lies there is in the file.
reads_as() { read_at "$1" "$2" "$3" | cmp - "$4"; }
writes_from() { write_at "$1" "$2" "$3" < "$4"; }

# lab_set NAME MIB: a set whose main is a disk of the lab by ublk, at $main, which fails on command.
lab_set() {
  truncate -s "$2M" main.img
  check "a disk that fails on command" dmremap-lab serve main.img main --front ublk --background
  at_exit dmremap-lab stop main
  main=$(readlink -f main)
  check "a set is made" dmremap create "$1" "$main" ./spare.img --spare-size 32MiB
  at_exit stop_set "$1"
}

# set_over_ram: the set `set`, over 64 MiB at /dev/ram0.
set_over_ram() {
  ram_disks 1 64
  check "a set is made" dmremap create set /dev/ram0 ./spare.img --spare-size 32MiB
  at_exit stop_set set
}

# serve_by_target NAME: at $node, until what is clean goes past the engine.
serve_by_target() {
  node=$(dmremap start "$1" --export dm) || fail "it does not start"
  wait_until "what is clean is cleared" few_marked "$1"
}

# Again and again until the file `enough` is there, however slow the machine is.
fio_until_enough() {
  while [ ! -e enough ]; do
    fio --output=fio.out --name=v --filename="$1" --direct=1 --ioengine=io_uring --iodepth=32 \
      --rw=randwrite --bsrange=4k-64k --size=80m --io_size=8g --time_based=1 --runtime=8 --fsync=16 \
      --verify=crc32c --verify_fatal=1 --verify_backlog=256 --randrepeat=0 || return 1
    grep -q "err= 0" fio.out || return 1
  done
}

# killed_under_load ROUNDS: the set rec by the kernel target, under fio with verification and fsync; its
# process is killed and started again, and sectors of main begin to fail. It is running afterwards.
killed_under_load() {
  lab_set rec 96
  dmremap-lab fault main write:ENODATA 8192+16
  dmremap-lab fault main write:ENODATA 65536+64
  serve_by_target rec
  dd if=/dev/urandom bs=8k count=1 2> dd.err | write_at "$node" 8192 16
  rm -f enough
  fio_until_enough "$node" &
  fio=$!
  for round in $(seq "$1"); do
    sleep 2
    kill -0 $fio 2> /dev/null || fail "fio has ended in round $round: $(cat fio.out)"
    # Sectors that were good until now.
    dmremap-lab fault main write:ENODATA $((20000 + 8000 * round))+8
    sleep 1
    kill_set rec
    # Clean requests go on with nobody there.
    before=$(awk '{print $1}' "/sys/block/$(basename "$node")/stat")
    read_at "$node" 190000 8 > /dev/null || fail "a clean read fails"
    [ "$(awk '{print $1}' "/sys/block/$(basename "$node")/stat")" -gt "$before" ] || fail "no clean read"
    dmremap start rec --export dm > said 2>&1 || fail "round $round: $(cat said)"
    grep -q "took over" said || fail "it does not say that it took over: $(cat said)"
    if grep -q "the kernel target sent" said; then fail "$(cat said)"; fi
    grep -qx "$node" said || fail "another device: $(cat said)"
  done
  echo "killed $1 times"
  : > enough
  wait $fio || fail "a request failed, or read something else: $(cat fio.out)"
  status_of rec
  echo "remapped: $(field set.json remapped_sectors)"
  equal "nothing was lost" "$(field set.json lost_sectors)" 0
  [ "$(state rec escalated)" -gt 0 ] || fail "main has failed nothing"
}

# --- a process that is killed between two steps (tests/kernel/mapper_shim.cpp) ---

with_fault() {
  fault=$1
  shift
  MAPPER_SHIM=$fault LD_PRELOAD=$PWD/mapper_shim.so "$@"
}

# serves N: the set `set` starts, and has what round N-1 has written, at 40960 on the spare.
serves() {
  node=$(dmremap start set --export dm 2> said) || fail "round $1: $(cat said)"
  if grep -q "the kernel target sent" said; then fail "$(cat said)"; fi
  if [ -e data ]; then
    read_at "$node" 20480 8 | cmp - data || fail "round $1: something else is read"
    read_at "$node" 40960 8 | cmp - data || fail "round $1: something else is read of what moved"
  fi
  dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
  write_at "$node" 20480 8 < data
  write_at "$node" 40960 8 < data
}

_no_main() { ! dmsetup info set-main > /dev/null 2>&1; }

# killed_before start|stop|late STEP...: before each of these steps of a start and a stop, which fails
# then: the start, the stop, or neither, as all else is done. The next start serves the set, with all
# that was acknowledged.
killed_before() {
  _expected=$1
  shift
  for step in "$@"; do
    if with_fault "die-before:$step" dmremap start set --export dm > said 2>&1; then
      died=stop
      if dmremap stop set > said 2>&1; then died=late; fi
    else
      died=start
    fi
    equal "killed before step $step" $died "$_expected"
    serves "$step"
    check "it is stopped" dmremap stop set
    wait_until "set-main is gone" _no_main
  done
}

# crash_set: the set `set` over a RAM disk, with sectors elsewhere, stopped.
crash_set() {
  set_over_ram
  serves 0
  check "some sectors move" dmremap remap set 40960+8
  check "it is stopped" dmremap stop set
}

# --- the set `set`, served at $node, over a SCSI disk at $disk that is pulled out and comes back ---

# scsi_set: makes it, with sectors that move once it is served: see scsi_set_served.
scsi_set() {
  scsi_disk 64
  check "a set is made" dmremap create set "$disk" ./spare.img --spare-size 32MiB
  at_exit stop_set set
  dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
}
scsi_set_served() {
  serve_by_target set
  check "some sectors move" dmremap remap set 40960+8
  write_at "$node" 20480 8 < data
  write_at "$node" 40960 8 < data
  check "a flush" flush_node
}
flush_node() { dd of="$node" bs=4096 count=0 conv=notrunc,fsync 2> dd.err; }
within() { status_of set; grep -q "$1" set.json; }
is_good() { ! within tripped; }
number_of() { cat "/sys/class/block/$(basename "$1")/dev"; }
lies_over() { dmsetup table "$1" | grep -q " $(number_of "$2") "; }

# moves: main goes, and is there under another name.
moves() {
  _was=$disk
  echo 1 > "/sys/block/${disk#/dev/}/device/delete"
  refused "a read while main is gone" read_at "$node" 20480 8
  wait_until "the set says so" within tripped
  for _host in /sys/class/scsi_host/host*; do
    [ "$(cat "$_host/proc_name")" = scsi_debug ] && echo "- - -" > "$_host/scan"
  done
  wait_until "the disk is back" _find_scsi_disk
  [ "$disk" != "$_was" ] || fail "it has another name"
}

# is_served: with all that was written, past the engine, and held.
is_served() {
  wait_until "the target lies over main" lies_over set "$disk"
  check "so does what holds main" lies_over set-main "$disk"
  wait_until "what is clean is cleared" few_marked set
  read_at "$node" 20480 8 | cmp - data || fail "something else is read"
  read_at "$node" 40960 8 | cmp - data || fail "something else is read of what moved"
  dd if=/dev/urandom of=data bs=4096 count=1 2> dd.err
  past_engine set "requests go past the engine" writes_from "$node" 20480 8 data
  write_at "$node" 40960 8 < data
  read_at "$disk" 20480 8 | cmp - data || fail "it is not on main"
  refused "nobody else takes main" dmremap create other "$disk" ./other.img --spare-size 32MiB
  grep -q "belongs to the running set" /tmp/said || fail "$(cat /tmp/said)"
  for _node in "$(dmsetup info -c --noheadings -o blkdevname set-main)" "$(basename "$node")"; do
    [ -e "/sys/block/$(basename "$disk")/holders/$_node" ] || fail "$_node does not hold it"
  done
}

# one_disk_twice MIB: /dev/loop6 and /dev/loop7 over one file, so that both ways of a target lead to the
# same bytes.
one_disk_twice() {
  truncate -s "$1M" /tmp/both
  at_exit rm /tmp/both
  for _number in 6 7; do
    losetup /dev/loop$_number /tmp/both
    at_exit losetup -d /dev/loop$_number
  done
}
