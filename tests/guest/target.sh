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
