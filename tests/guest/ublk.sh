# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034
# What payloads share in which the process of a set by ublk is killed, after lib.sh.

# bad_set NAME: a set at $node by ublk, of whose main some sectors take no writes.
bad_set() {
  truncate -s 96M main.img
  : > /tmp/main
  check "a disk that fails on command" dmremap-lab serve main.img /tmp/main --background
  at_exit dmremap-lab stop /tmp/main
  check "a set is made" dmremap create "$1" /tmp/main ./spare.img --spare-size 32MiB
  dmremap-lab fault /tmp/main write:ENODATA 8192+16
  dmremap-lab fault /tmp/main write:ENODATA 65536+64
  dmremap-lab fault /tmp/main write:ENODATA 131072+8
  at_exit stop_set "$1"
  node=$(dmremap start "$1" --export ublk)
}

# recovered_under_load ROUNDS: the set rec, at $node, under fio with verification and fsync; sectors of
# main fail. Its process is killed and started again, and it is running afterwards.
recovered_under_load() {
  bad_set rec

  # fio goes on until it is told to end, and reads back every 256 blocks.
  options="--filename=$node --direct=1 --ioengine=io_uring --iodepth=32 --rw=randwrite --bsrange=4k-64k
    --size=80m --fsync=16 --verify=crc32c --verify_fatal=1 --randrepeat=0"
  # shellcheck disable=SC2086
  fio --output="$OUT/fio.killed" --name=killed $options --time_based=1 --runtime=3600 --verify_backlog=256 &
  verifier=$!
  at_exit end_verifier
  for round in $(seq "$1"); do
    sleep 1
    kill -0 $verifier 2> /dev/null || fail "fio has ended in round $round: $(cat "$OUT/fio.killed")"
    kill_set rec
    # Not to unmount anything: its users wait, and go on with the start.
    [ "$round" != 1 ] || dmremap status rec > told 2>&1 || true
    dmremap start rec --export ublk > said 2>&1 || fail "round $round: $(cat said)"
    grep -q "took over $node" said || fail "it does not say that it took the device over: $(cat said)"
    grep -qx "$node" said || fail "another device: $(cat said)"
  done
  echo "killed $1 times"
  grep -q "uses $node waits: dmremap start rec serves it on" told || fail "$(cat told)"
  sleep 1
  kill -0 $verifier 2> /dev/null || fail "fio has ended by itself: $(cat "$OUT/fio.killed")"
  end_verifier
  wait $verifier || true  # what tells that it was interrupted
  grep -q "err= 0" "$OUT/fio.killed" || fail "a request failed, or read something else: $(cat "$OUT/fio.killed")"
}

# replaced_under_load ROUNDS: the set rep, at $node, under fio with verification and fsync; sectors of
# main fail. Its process is replaced again and again: its users get no error, nothing that was
# acknowledged is lost, each process ends with a clean stop, and the next one needs no file. It is
# running afterwards.
replaced_under_load() {
  bad_set rep

  # fio goes on until it is told to end, and reads back every 256 blocks.
  fio --output="$OUT/fio.replaced" --name=replaced --filename="$node" --direct=1 --ioengine=io_uring \
    --iodepth=4 --rw=randwrite --bsrange=4k-64k --size=80m --fsync=16 --verify=crc32c --verify_fatal=1 \
    --randrepeat=0 --time_based=1 --runtime=3600 --verify_backlog=256 &
  verifier=$!
  at_exit end_verifier
  for round in $(seq "$1"); do
    # With requests under way: those of before have been answered, or fio would stand still.
    _before=$(writes_of "$node")
    wait_until "fio goes on in round $round" _have_written
    kill -0 $verifier 2> /dev/null || fail "fio has ended in round $round: $(_told)"
    before=$(set_pid_of_file rep)
    dmremap start rep --export ublk --replace > said 2>&1 || fail "round $round: $(cat said)"
    grep -qx "$node" said || fail "another device: $(cat said)"
    if grep -q "had died" said; then fail "it tells of a death: $(cat said)"; fi
    after=$(set_pid_of_file rep)
    [ "$before" != "$after" ] || fail "process $before still serves"
    [ ! -e "/proc/$before" ] || fail "process $before has not ended"
    case $(readlink "/proc/$after/exe") in
      /memfd:*) ;;
      *) fail "it runs from a file: $(readlink "/proc/$after/exe")" ;;
    esac
    if grep ' /usr' "/proc/$after/maps"; then fail "it needs files"; fi
  done
  echo "replaced $1 times"
  equal "no run has died" "$(died rep)" 0
  _before=$(writes_of "$node")
  wait_until "fio goes on" _have_written
  kill -0 $verifier 2> /dev/null || fail "fio has ended by itself: $(_told)"
  end_verifier
  wait $verifier || true  # what tells that it was interrupted
  grep -q "err= 0" "$OUT/fio.replaced" || fail "a request failed, or read something else: $(cat "$OUT/fio.replaced")"
  status_of rep
  equal "nothing was lost" "$(field set.json lost_sectors)" 0
  echo "remapped: $(field set.json remapped_sectors)"
}

_told() { head -n 5 "$OUT/fio.replaced"; dmremap events rep | tail -n 20; }
# More than are under way at the same time.
_have_written() { [ "$(writes_of "$node")" -ge $((_before + 32)) ]; }
# writes_of NODE: that have ended.
writes_of() { awk '{print $5}' "/sys/block/${1#/dev/}/stat"; }
# died NAME: how many of its runs were killed, by its events.
died() { dmremap events "$1" --json | grep -c '"kind": *"died"' || true; }

end_verifier() { kill -INT "$verifier" 2> /dev/null || true; }
