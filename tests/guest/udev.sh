#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=sh
# A guest with udev, for payloads that ask for it with
#: programs /usr/bin/udevadm {build}/bin/dmremap-udev
#: files {source}/tests/guest/udev.sh {source}/packaging/udev/59-dm-remap.rules.in
# and for udev's own rules as files. `. ./udev.sh` after lib.sh, then start_udev.

udev_rules=/usr/lib/udev/rules.d

# The daemon, with the rules that lie in the payload's directory; until the payload ends.
start_udev() {
  mkdir -p $udev_rules /usr/lib/systemd /etc/udev/rules.d
  cp ./*.rules $udev_rules
  sed 's|@UDEVDIR@|/usr/bin|' 59-dm-remap.rules.in > $udev_rules/59-dm-remap.rules
  ln -sf /usr/bin/udevadm /usr/lib/systemd/systemd-udevd
  ln -sf /usr/bin/dmsetup /sbin/dmsetup  # where device-mapper's rules have it
  unset DM_DISABLE_UDEV
  echo 0123456789abcdef0123456789abcdef > /etc/machine-id
  /usr/lib/systemd/systemd-udevd --daemon
  at_exit _end_udev
}

_end_udev() {
  udevadm control --exit
  rm -rf /etc/dm-remap
}

# again [ACTION]: the events of all disks once more, as a boot has them (`add`), until all are handled.
again() {
  udevadm trigger --action="${1:-add}" --subsystem-match=block
  udevadm settle --timeout=120
}

# property NODE KEY: of udev's database.
property() { udevadm info --query=property --name="$1" | sed -n "s/^$2=//p"; }
links() { udevadm info --query=symlink --name="$1"; }

# target UUID: the node to which its link leads.
target() { readlink -f "/dev/disk/by-uuid/$1" || true; }

# hidden NODE: nobody looks into it; seen NODE: anybody may.
hidden() {
  [ "$(property "$1" ID_FS_TYPE)" = dmremap_member ] || return 1
  [ "$(property "$1" SYSTEMD_READY)" = 0 ] && [ "$(property "$1" UDISKS_IGNORE)" = 1 ] || return 1
  case $(links "$1") in
    *by-uuid* | *by-label* | *by-partuuid* | *by-partlabel*) return 1 ;;
  esac
}
seen() { [ "$(property "$1" ID_FS_TYPE)" = ext4 ] && [ -z "$(property "$1" SYSTEMD_READY)" ]; }
