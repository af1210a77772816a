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

It buys time. A disk that loses sectors usually loses more: make a backup, and replace the disk.
)";

constexpr const char* kWords = R"(
main, spare
  the failing device; the device that holds replacements and metadata

set
  one main with its spare: a name and a UUID

sector
  512 bytes, the unit of every address

remapped
  a sector whose data is on the spare

suspect
  a sector that reads, but far slower than its neighbours, or that a list doubts

lost
  main holds the only version of a sector and cannot read it: it reads as an error until something
  writes it, or main reads it well again

gone
  a newer version of a sector was on the spare and is unreadable there: as lost, but main is never
  asked again

copy, slot
  one of the eight places on the spare that hold the metadata, with two slots each

commit
  one change of the metadata; the winner is the latest whose slots are whole

doubtful, forked
  a later acknowledged commit may be hidden; two latest commits exist. Neither is started
)";

constexpr const char* kDevices = R"(
A device is a block device or a regular file (an image). An argument with a `/` in it is a device,
else the name of a set: `./spare.img`, not `spare.img`. A path never identifies a device; what is
recorded of main and written on the spare does.

The name of a set has up to 64 letters, digits, `_`, `.` and `-`, the first a letter or a digit. Its
UUID (`dmremap status`, `dmremap discover`) may be given instead: a disk from another machine may bring
a set of the same name, and no other one has the UUID.
)";

constexpr const char* kRanges = R"(
A range is `SECTOR` or `SECTOR+COUNT`, in sectors of 512 bytes: `2048+8` is 4 KiB at 1 MiB. A size
is a number of bytes, or has one of `KiB`, `MiB`, `GiB`, `TiB` behind it.
)";

constexpr const char* kJson = R"(
Every verb that reports has --json: one object on stdout with json_version, and fields that stay
what they are. An error is one line on stderr that says where, what, and what to do about it; with
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
          .see_also = {"dmremap-lab(1)", "ddrescue(1)", "badblocks(8)", "dmsetup(8)"},
          .sections = {{"WORDS", kWords},
                       {"DEVICES AND NAMES", kDevices},
                       {"RANGES AND SIZES", kRanges},
                       {"JSON AND ERRORS", kJson},
                       {"ENVIRONMENT", kEnvironment},
                       {"FILES", kFiles}}};
}

}  // namespace dmremap::cli
