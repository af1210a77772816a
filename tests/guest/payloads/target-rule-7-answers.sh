#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Rule 7 of docs/kernel.md: device mapper may report success for a message that reached no table; newer
# kernels refuse it. Every message of the target therefore has an answer, with its protocol and the table's instance, and what is
# for another protocol or another instance is refused.
#: kernels 6.12 6.1
#: module {build}/kernel/{kernel}/dm-remap.ko
#: files {source}/tests/guest/target.sh {build}/tests/kernel/block_request
#: timeout 120
# Lists of words are split on purpose.
# shellcheck disable=SC2015,SC2046,SC2086
. ../lib.sh
# shellcheck source=../target.sh
. ./target.sh

main_and_engine
dmsetup create none --notable
at_exit dmsetup remove none
equal "a message without a table has no answer" \
  "$(dmsetup message none 0 mark 1 0123456789abcdef 0+1 2> /dev/null || true)" ""

create r /dev/ram0 /dev/engine
hello=$(dmsetup message r 0 hello)
instance=$(state r instance)
equal "hello" "$hello" "1 $instance 64 2048"
equal "an instance has 16 digits" "${#instance}" 16
for message in "mark 0+1" "clear 0+1" "mark 0+1" "drain 0 0+1" "marks 0" "epoch" "settle 1" "dirty 0" \
  "written 1 0" "slow 0 0"; do
  set -- $message
  verb=$1
  shift
  answer=$(dmsetup message r 0 "$verb" 1 "$instance" "$@") || fail "$message: refused"
  case $answer in
    "1 $instance "?*) ;;
    *) fail "$message: no answer: '$answer'" ;;
  esac
done
echo "ok: every message has an answer"

refusal() { refused "$1" dmsetup message r 0 $2 && grep -q "$3" /tmp/said || fail "$1: $(cat /tmp/said)"; }
refusal "another protocol" "mark 2 $instance 0+1" "Protocol not supported"
refusal "another instance" "mark 1 0000000000000001 0+1" "Stale file handle"
refusal "no protocol" "mark 0+1" "Invalid argument"
refusal "no range" "mark 1 $instance" "Invalid argument"
refusal "an unknown verb" "remove 1 $instance" "Invalid argument"
refusal "an unknown verb of another protocol" "remove 2 $instance" "Protocol not supported"
ask r clear 0+64 > /dev/null
for range in 64+1 0+65 63+2 0+0 1 +1 1+ 1-+1 1+-1 1++1 0x1+1 4294967295+2 2+4294967295 4294967296+1 a+b; do
  refusal "the range $range" "mark 1 $instance 0+1 $range" "Invalid argument"
done
equal "what was refused has changed nothing" "$(ask r marks 0)" "next 64"

# Another table is another instance, all marked and all dirty, whoever loads it.
dmsetup load r --table "$(dmsetup table r)"
equal "a table that is not live yet is not spoken to" "$(state r instance)" "$instance"
dmsetup resume r
refusal "what is for the table before" "clear 1 $instance 0+64" "Stale file handle"
equal "the new one is all marked, all dirty" "$(ask r marks 0), $(ask r dirty 0)" \
  "0+64 next 64, 0+64 next 64"
dmsetup suspend r
equal "a suspended table answers" "$(ask r clear 0+1)" 1
dmsetup resume r

# A device that is in use stays; without one a message fails.
exec 5< /dev/mapper/r
refused "removing a device that is open" dmsetup remove r
exec 5<&-
dmsetup remove r
refused "a message to a device that is gone" dmsetup message r 0 hello
dmsetup create r --table "0 131072 remap /dev/ram0 /dev/engine"
