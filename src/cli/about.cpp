// SPDX-License-Identifier: GPL-2.0-or-later
// The parts of dmremap(8) that belong to no verb.
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

constexpr const char* kDescription = R"(
A disk has begun to lose sectors and its firmware has no spares left. dmremap puts a virtual block
device in front of it: healthy sectors stay where they are, failing ones go to a second device,
and the file system above notices nothing. The disk is adopted in place; all metadata lives on the
second device, eight times.

Its words, and what the states of sectors and sets mean, are in dmremap(7).

It buys time. A disk that loses sectors usually loses more: make a backup, and replace the disk.
)";

constexpr const char* kDevices = R"(
A device is a block device or a regular file (an image). An argument with a `/` in it is a device,
else the name of a set: `./spare.img`, not `spare.img`. A path never identifies a device; what is
recorded of main and written on the spare does.

The name of a set has up to 64 letters, digits, `_`, `.` and `-`, the first a letter or a digit. Wherever a
set is named, its UUID does as well (`dmremap status`, `dmremap discover`), or the first four or more of its
digits if no other set's begin so; so does `/dev/dm-remap/NAME`, and the node or file at which it is served.
A name goes before a UUID. A disk from another machine may bring a set of the same name; no other one has
the UUID.

Verbs that take devices take a set instead, and look for its devices. Those that take several names do
for each what they do for one; one that fails does not keep the others from it.

Where a file is read or written, `-` is standard input or standard output.
)";

constexpr const char* kRanges = R"(
A sector is a number, decimal or with `0x` hexadecimal, of sectors of 512 bytes, or an amount of bytes
with a unit: `2048`, `0x800` and `1MiB` are the same. A range is a `SECTOR`, a `SECTOR+COUNT` or
`FIRST-LAST`: `2048+8`, `2048-2055` and `1MiB+4KiB` are the same 4 KiB at 1 MiB. If `LAST` is a sector, it is
in the range; if it has a unit, the range ends before it: `1GiB-2GiB` is one GiB.

A size is a number of bytes, or has a unit behind it: `K`, `M`, `G` or `T`, or `KiB`, `MiB`, `GiB`, `TiB`. K is
1024 bytes, M 1024 K and so on, in either case, as it is for what lvm2 takes. `KB` is refused: to some
it is 1000, to others 1024.
)";

constexpr const char* kJson = R"(
Every verb that reports has --json: one object on stdout with json_version, and fields that stay
what they are; its times are UTC, and those in text are local. An error is one line on stderr that says where, what, and what to do about it; with
--json it is `{"error":{"code","what","where","hint"}}`.
)";

constexpr const char* kEnvironment = R"(
`DMREMAP_RUNTIME_DIR`
  where running sets keep their sockets, logs and the served files

`XDG_RUNTIME_DIR`
  unless that is set, for other users than root: the directory `dmremap` in it

`DMREMAP_STATE_DIR`
  where it is kept what was last known of each set, over boots. Unless that is set: a runtime
  directory that is named by the environment; `/var/lib/dm-remap` for root; `dm-remap` in
  `$XDG_STATE_HOME` or `~/.local/state` for others

`DMREMAP_CONFIG_DIR`
  where the claims of this host are kept, in `claims.d`. Unless that is set: a runtime directory that is
  named by the environment; `/etc/dm-remap` for root. Other users keep none

`MAILADDR`, `MAILFROM`
  where `dmremap monitor` sends mail to, and from whom

`NO_COLOR`
  colours are never used if this is set
)";

constexpr const char* kFiles = R"(
`/run/dmremap`
  the runtime directory of root, made with mode 0700. `NAME.drive-timeouts` in it
  is what main's drive was set to before `start --set-drive-timeouts`; `NAME.memory` is what a run that is
  killed leaves: which blocks of main held what

`/var/lib/dm-remap/known/NAME`
  where the devices of the set were last seen, and what main is known by: hints for a search, and
  what `create` looks at before a disk gets a second set; never identity

`/etc/dm-remap/claims.d/NAME`
  what this host keeps of the set, so that bare main is hidden at boot; see `dmremap claims`

`/etc/dm-remap/monitor.d`
  programs that `dmremap monitor` calls when something gets better or worse

`/dev/dm-remap/NAME`
  the device of the running set NAME, the same at every start

`dmremap@NAME.service`
  the systemd unit that starts and stops the set NAME with the machine, once `dmremap enable NAME` was
  said. Mount what lies on it in fstab(5) by its UUID or as `/dev/dm-remap/NAME`, with the option
  `nofail` if the machine is to come up without it
)";

}  // namespace

manual::Prose about() {
  return {.description = kDescription,
          .examples = {{"dmremap create backup /dev/sdb /dev/sdc1", "make a set, once"},
                       {"dmremap start backup && mount /dev/dm-remap/backup /mnt", "use it"},
                       {"dmremap status backup", "look after it"},
                       {"umount /mnt && dmremap stop backup", "end it"}},
          .exits = {{0, "done"},
                    {1, "failed"},
                    {3,
                     "refused as unsafe; the message says why, and which option overrides, if one "
                     "may"},
                    {4,
                     "from verbs that report: something needs attention; remapped sectors alone "
                     "do not"}},
          .see_also = {"dmremap(7)", "dmremap-format(5)", "dmremap-lab(1)", "ddrescue(1)",
                       "badblocks(8)", "dmsetup(8)"},
          .sections = {{"DEVICES AND NAMES", kDevices},
                       {"RANGES AND SIZES", kRanges},
                       {"JSON AND ERRORS", kJson},
                       {"ENVIRONMENT", kEnvironment},
                       {"FILES", kFiles}}};
}

}  // namespace dmremap::cli
