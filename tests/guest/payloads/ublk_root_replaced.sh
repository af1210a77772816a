#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Between asking for the device of the root file system and serving it a process looks for no file but
# what the kernel keeps in memory, not even for the time zone or a claim, which it has read before; and it
# survives a shutdown as the one before it did. What might fail then is refused before. With systemd, and
# the root on the set: tests/guest/root_on_set.py.
#: kernels 6.12
#: timeout 900
#: programs strace
. ../lib.sh

modprobe brd rd_nr=2 rd_size=$((64 * 1024))
at_exit rmmod brd
check "a set is made" dmremap create rep /dev/ram0 /dev/ram1
at_exit stop_set rep
check "it comes up by itself" dmremap enable rep

# As in an initramfs.
touch /etc/initrd-release
node=$(dmremap start rep --export ublk)
rm /etc/initrd-release

first_of() { head -c 1 "/proc/$1/cmdline"; }
before=$(set_pid_of_file rep)
equal "it is marked" "$(first_of "$before")" @

refused "another way to be offered" dmremap start rep --export fuse --replace
refused "read-only" dmremap start rep --export ublk --read-only --replace
blockdev --setro /dev/ram1
refused "a spare that could not be opened again" dmremap start rep --export ublk --replace
blockdev --setrw /dev/ram1
equal "its process goes on" "$(set_pid_of_file rep)" "$before"

mkdir -p /sys/fs/cgroup
if mount -t cgroup2 cgroup2 /sys/fs/cgroup 2> /dev/null; then
  at_exit umount /sys/fs/cgroup
  mkdir /sys/fs/cgroup/session
  at_exit rmdir /sys/fs/cgroup/session
fi

# strace stays with the process that serves until it is ended.
strace -f -s 256 -o "$OUT/trace" sh -c '
  [ ! -d /sys/fs/cgroup/session ] || echo 0 > /sys/fs/cgroup/session/cgroup.procs
  exec dmremap start rep --export ublk --replace' > said 2>&1 &
tracer=$!
_is_replaced() {
  kill -0 $tracer 2> /dev/null || fail "refused: $(cat said)"
  after=$(set_pid_of_file rep 2> /dev/null) && [ -n "$after" ] && [ "$after" != "$before" ] && grep -qx "$node" said
}
wait_until "it is replaced" _is_replaced
cat said
kill -KILL $tracer
wait $tracer || true
equal "it is marked" "$(first_of "$after")" @
case $(readlink "/proc/$after/exe") in
  /memfd:*) ;;
  *) fail "it runs from a file: $(readlink "/proc/$after/exe")" ;;
esac
equal "its root directory is that of all" "$(readlink "/proc/$after/root")" /
grep -q . "/proc/$after/mountinfo" || fail "it sees no mounts"
equal "its mounts are those of all" "$(readlink "/proc/$after/ns/mnt")" "$(readlink /proc/1/ns/mnt)"
equal "it is in the group of the one before" "$(cat "/proc/$after/cgroup")" "$(cat /proc/$$/cgroup)"

# From the request to the second change of the root directory, which is back.
sed -n '/hand-over/,$p' "$OUT/trace" | sed '/ chroot(/,$d' > "$OUT/between"
[ "$(wc -l < "$OUT/between")" -gt 100 ] || fail "where is it?"
grep -q 'openat(AT_FDCWD, "/dev/ublk' "$OUT/between" || fail "it does not take the device over"
if grep -E '(open|openat|readlink|stat|newfstatat|statx|access|faccessat2|execve|connect|mkdir|unlink|rename|symlink)\([^"]*"/' \
  "$OUT/between" | grep -vE '"/(dev|proc|run|sys)?[/"]' | grep -vF 'access("/etc/initrd-release", F_OK) = -1 ENOENT'; then
  fail "it looks for what may lie on the root file system"
fi
sed '1,/hand-over/d' "$OUT/trace" | grep -q '"/etc/dm-remap/claims.d' || fail "the claim is not kept"

# From now on nothing of the trace: again, and it can be stopped.
check "it is replaced once more" dmremap start rep --export ublk --replace
[ "$(set_pid_of_file rep)" != "$after" ] || fail "process $after still serves"
equal "it is marked" "$(first_of "$(set_pid_of_file rep)")" @
check "it is stopped" dmremap stop rep
