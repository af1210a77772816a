#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# The process of a set is replaced under load, ten times: its users get no error, nothing that was
# acknowledged is lost, each process ends with a clean stop, and the next one needs no file.
#: kernels 6.12
#: timeout 600
#: programs fio
#: files {source}/tests/guest/ublk.sh
. ../lib.sh
# shellcheck source=../ublk.sh
. ./ublk.sh

bad_set rep

told() { head -n 5 "$OUT/fio.replaced"; dmremap events rep | tail -n 20; }
died() { dmremap events rep --json | grep -c '"kind": *"died"' || true; }

# fio goes on until it is told to end, and reads back every 256 blocks.
fio --output="$OUT/fio.replaced" --name=replaced --filename="$node" --direct=1 --ioengine=io_uring \
  --iodepth=4 --rw=randwrite --bsrange=4k-64k --size=80m --fsync=16 --verify=crc32c --verify_fatal=1 \
  --randrepeat=0 --time_based=1 --runtime=3600 --verify_backlog=256 &
verifier=$!
at_exit end_verifier
for round in 1 2 3 4 5 6 7 8 9 10; do
  sleep 1
  kill -0 $verifier 2> /dev/null || fail "fio has ended in round $round: $(told)"
  before=$(set_pid_of_file rep)
  dmremap start rep --export ublk --replace > said 2>&1 || fail "round $round: $(cat said)"
  grep -qx "$node" said || fail "another device: $(cat said)"
  after=$(set_pid_of_file rep)
  [ "$before" != "$after" ] || fail "process $before still serves"
  [ ! -e "/proc/$before" ] || fail "process $before has not ended"
  case $(readlink "/proc/$after/exe") in
    /memfd:*) ;;
    *) fail "it runs from a file: $(readlink "/proc/$after/exe")" ;;
  esac
  if grep ' /usr' "/proc/$after/maps"; then fail "it needs files"; fi
done
echo "replaced ten times"
equal "no run has died" "$(died)" 0
sleep 1
kill -0 $verifier 2> /dev/null || fail "fio has ended by itself: $(told)"
end_verifier
wait $verifier || true  # what tells that it was interrupted
grep -q "err= 0" "$OUT/fio.replaced" || fail "a request failed, or read something else: $(cat "$OUT/fio.replaced")"
status_of rep
equal "nothing was lost" "$(field set.json lost_sectors)" 0
echo "remapped: $(field set.json remapped_sectors)"

# The last step of a shutdown: a clean stop is recorded, reads go on, writes do not.
check "the machine is to be turned off" dmremap stop rep --power-off
read_at "$node" 0 8 > /dev/null || fail "it does not read any more"
kill -KILL "$(set_pid_of_file rep)"
check "it is served again" dmremap start rep --export ublk
equal "that was a clean stop" "$(died)" 0
check "it is stopped" dmremap stop rep

# What does not wait in the kernel is not replaced, and goes on.
dmremap start rep --export fuse > /dev/null
before=$(set_pid_of_file rep)
refused "a file is not handed over" dmremap start rep --export fuse --replace
equal "its process goes on" "$(set_pid_of_file rep)" "$before"
check "it is stopped" dmremap stop rep
check "where none runs, it is a start" dmremap start rep --export ublk --replace
check "it is stopped" dmremap stop rep
