# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034
# What payloads share. One begins with `. ../lib.sh`; from then on a command that fails ends it, and
# whatever was put up by at_exit's leave is taken down, last first. Its files are in the directory
# that it starts in; what it puts into $OUT comes back to the host.
set -eu

fail() {
  echo "FAILED: $*"
  exit 1
}

# check WHAT COMMAND...: the command must succeed.
check() {
  what=$1
  shift
  "$@" || fail "$what: exit $? of: $*"
  echo "ok: $what"
}

# refused WHAT COMMAND...: the command must not succeed; what it says goes to /tmp/said.
refused() {
  what=$1
  shift
  if "$@" > /tmp/said 2>&1; then fail "$what: it succeeded: $*"; fi
  echo "ok: $what"
}

# equal WHAT GOT EXPECTED
equal() {
  [ "$2" = "$3" ] || fail "$1: expected '$3', got '$2'"
  echo "ok: $1"
}

# wait_until WHAT COMMAND...: for up to ten minutes by the clock, however long the command takes. On a
# loaded machine ten seconds become minutes, and that is no defect.
wait_until() {
  what=$1
  shift
  _end=$(($(cut -d . -f 1 /proc/uptime) + 600))
  while [ "$(cut -d . -f 1 /proc/uptime)" -lt $_end ]; do
    if "$@"; then return; fi
    sleep 0.2
  done
  fail "$what: not within ten minutes"
}

_steps=
# at_exit COMMAND...: one word each. To be done when the payload ends, however it does.
at_exit() {
  _steps="$*
$_steps"
}

_take_down() {
  _status=$?
  set +e
  _all=$_steps
  _steps=
  echo "$_all" | while read -r _step; do
    [ -z "$_step" ] || $_step || echo "cleanup: exit $?: $_step"
  done
  exit $_status
}
trap _take_down EXIT
trap 'exit 1' INT TERM

# serve NAME [OPTION...]: dmremap start; the set is stopped when the payload ends, if not before.
serve() {
  at_exit _stop "$1"
  dmremap start "$@"
}

_stop() { dmremap stop "$1" > /dev/null 2>&1 || true; }

# mounted DEVICE DIRECTORY [OPTION...]: mount; unmounted when the payload ends, if not before.
mounted() {
  at_exit _unmount "$2"
  mount "$@"
}

_unmount() { umount "$1" 2> /dev/null || true; }

# scsi_disk MIB [PARAMETER=VALUE...]: a disk of the kernel's scsi_debug at $disk, until the payload
# ends. With medium_error_start and medium_error_count it has bad sectors; see medium_errors.
scsi_disk() {
  _size=$1
  shift
  modprobe scsi_debug "dev_size_mb=$_size" "$@"
  modprobe sd_mod
  at_exit rmmod scsi_debug
  wait_until "a disk of scsi_debug" _find_scsi_disk
}

_find_scsi_disk() {
  for _at in /sys/bus/pseudo/drivers/scsi_debug/adapter*/host*/target*/*/block/*; do
    disk=/dev/${_at##*/}
    [ -b "$disk" ] && return
  done
  return 1
}

# medium_errors on|off: whether scsi_debug's bad sectors fail.
medium_errors() {
  case $1 in
    on) echo 2 ;;
    off) echo 0 ;;
  esac > /sys/module/scsi_debug/parameters/opts
}

# ram_disk MIB: a disk in the guest's memory at /dev/ram0, until the payload ends.
ram_disk() {
  modprobe brd rd_nr=1 "rd_size=$(($1 * 1024))"
  at_exit rmmod brd
}

# drive_node SERIAL: the node of a drive that QEMU was given with `serial=SERIAL`.
drive_node() {
  for _at in /sys/block/*; do
    _serial=$(cat "$_at/serial" "$_at/device/serial" 2> /dev/null | tr -d ' ')
    if [ "$_serial" = "$1" ]; then
      echo "/dev/${_at##*/}"
      return
    fi
  done
  return 1
}

# number N: as four bytes, the lowest first.
number() {
  printf '%b' "$(printf '\\%03o\\%03o\\%03o\\%03o' $(($1 & 255)) $((($1 >> 8) & 255)) \
    $((($1 >> 16) & 255)) $(($1 >> 24)))"
}
# partition_entry FIRST COUNT: of a table of the PC's kind, in sectors.
partition_entry() {
  printf '\0\0\0\0\203\0\0\0'
  number "$1"
  number "$2"
}
# partition_table DEVICE ENTRIES: makes the entries in that file the table of the device, with an
# identifier. The kernel is not told.
partition_table() {
  _write() { dd of="$1" bs=1 seek="$2" conv=notrunc,fsync status=none; }
  printf '\102\103\104\105' | _write "$1" 440
  head -c 64 /dev/zero | _write "$1" 446
  _write "$1" 446 < "$2"
  printf '\125\252' | _write "$1" 510
}

# read_at DEVICE SECTOR COUNT: to standard output, past the page cache, in one request.
read_at() {
  dd if="$1" bs=$(($3 * 512)) skip=$(($2 * 512)) count=1 iflag=direct,skip_bytes status=none
}

# write_at DEVICE SECTOR COUNT: from standard input, past the page cache, in one request.
write_at() {
  dd of="$1" bs=$(($3 * 512)) seek=$(($2 * 512)) count=1 iflag=fullblock oflag=direct,seek_bytes \
    conv=notrunc status=none
}

# field JSON-FILE NAME: the first value of that name, as it stands in JSON.
field() { grep -o "\"$2\": *\(\"[^\"]*\"\|[^],}]*\)" "$1" | head -n 1 | sed 's/^[^:]*: *//'; }

# ---- a set by ublk ----

# in_doubt NAME: a flush of main or of the spare is under way, or has failed and nobody was told, as
# the memory of the running set says (src/remap/engine_memory.hpp, src/table/unflushed_writes.hpp).
in_doubt() {
  [ "$(od -An -v -tu8 -j 22464 -N 16 "/run/dmremap/$1.memory" | tr -d ' ')" != 00 ]
}

set_pid() { dmremap status "$1" --json | grep -o '"pid": *[0-9]*' | grep -o '[0-9]*'; }

# real_time_threads PID: how many of its threads run before programs (SCHED_FIFO).
real_time_threads() { cat /proc/"$1"/task/*/stat | sed 's/.*) //' | awk '$39 == 1' | wc -l; }

# kill_set NAME: kill -9, but not in the middle of a flush: that one would fail, as it must.
kill_set() {
  _pid=$(set_pid "$1")
  while :; do
    kill -STOP "$_pid"
    in_doubt "$1" || break
    kill -CONT "$_pid"
    sleep 0.01
  done
  kill -KILL "$_pid"
}

# stop_set NAME: also if it does not run any more.
stop_set() { dmremap stop "$1" > /dev/null 2>&1 || true; }

# The same while the set cannot answer.
set_pid_of_file() { cat "/run/dmremap/$1.pid"; }

# status_of NAME: to the file `set.json`, whatever state the set is in.
status_of() { dmremap status "$1" --json > set.json || [ $? = 4 ]; }
