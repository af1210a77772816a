# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh disable=SC2034
# A ublk server that passes requests on in its queues' rings (tests/ublk/ublk_proxy.cpp), over a disk of
# the lab at /run/main. After lib.sh.

image=/dev/shm/main.img
truncate -s 64M $image
check "a disk below" dmremap-lab serve $image /run/main --front ublk --background
at_exit dmremap-lab stop /run/main
main=$(readlink /run/main)

# proxy OPTION...: over $main; its disk is $disk, its process $server.
proxy() {
  : > /tmp/proxy
  ublk_proxy "$main" "$@" > /tmp/proxy 2> /tmp/proxy.err &
  server=$!
  wait_until "the proxy's disk" grep -q /dev/ublkb /tmp/proxy
  disk=$(grep /dev/ublkb /tmp/proxy)
}
end_proxy() {
  kill $server
  wait $server
}
end_any() {
  [ ! -d /proc/"$server" ] || kill -9 "$server"
  # One that was killed leaves its disk.
  for _at in /sys/block/ublkb*; do [ "/dev/${_at##*/}" = "$main" ] || echo "left: $_at"; done
}
verify() {
  fio --name=verify --filename="$disk" --direct=1 --verify=crc32c --verify_fatal=1 \
    --output-format=terse "$@"
}

server=none
at_exit end_any
