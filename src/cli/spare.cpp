// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdint>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/parse.hpp"
#include "base/size_text.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "discovery/run_memory.hpp"
#include "set/spare_growth.hpp"
#include "set/spare_room.hpp"

namespace dmremap::cli {

namespace {

using control::SpareGrowReply;
using metadata::Survey;

struct Arguments {
  std::vector<std::string> devices;
  std::string size;
  bool json = false;
};

struct Growth {
  std::string name;
  bool running = false;
  SpareGrowReply done;
};

Result<std::optional<std::uint64_t>> wanted_bytes(const Arguments& arguments) {
  if (arguments.size.empty()) return std::optional<std::uint64_t>();
  const auto bytes = parse_size(arguments.size);
  if (!bytes) return failure_of(bytes);
  return std::optional(*bytes);
}

Result<Growth> grow_running(const std::string& name, std::optional<std::uint64_t> bytes) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto client = connect(*runtime, name);
  if (!client) return failure_of(client);
  const auto done = client->call(control::SpareGrowRequest{bytes}, kWorkTime);
  if (!done) return failure_of(done);
  return Growth{name, true, *done};
}

// A run that was killed left what it knew of main in memory, under the term of the latest commit:
// the next start compares main with it. A commit with a new term would make that worthless.
Result<void> check_no_killed_run(const Survey& survey) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime || survey.content->health.clean) return {};
  const format::Identity& set = survey.content->identity;
  const auto killed = discovery::read_run_memory(
      memory_path(*runtime, set.name), {set.set_uuid, discovery::boot_id(), 0, set.main.size});
  if (!killed || killed->term != survey.decision.winner->term) return {};
  return fail(
      ErrorCode::device_in_use, "its process died, and the next start needs what that left",
      set.name,
      fmt::format("dmremap start {}, then grow its spare: that works while it runs", set.name));
}

Result<Growth> grow_stopped(const Arguments& arguments, std::optional<std::uint64_t> bytes) {
  auto spare = hold_spare(arguments.devices);
  if (!spare) return failure_of(spare);
  if (const auto error = metadata::refusal(spare->survey, spare->device->path())) {
    return tl::unexpected(*error);
  }
  if (auto fine = check_no_killed_run(spare->survey); !fine) return failure_of(fine);
  const auto done = set::grow_stopped_spare(*spare->device, spare->survey, bytes, system_random(),
                                            system_clock());
  if (!done) return failure_of(done);
  return Growth{spare->survey.content->identity.name, false, control::report_of(*done)};
}

Result<Growth> grow(const Arguments& arguments) {
  const auto bytes = wanted_bytes(arguments);
  if (!bytes) return failure_of(bytes);
  const auto running = running_set_meant(arguments.devices);
  if (!running) return failure_of(running);
  return *running ? grow_running(**running, *bytes) : grow_stopped(arguments, *bytes);
}

void print_text(const Growth& growth) {
  const SpareGrowReply& done = growth.done;
  fmt::print("{}: {} of {} are in use now, before {}; {} are free for bad sectors\n",
             printable(growth.name), size_text(done.size_sectors), printable(done.spare),
             size_text(done.size_before_sectors), size_text(done.free_sectors));
  // However large the spare is, each run of bad sectors needs an entry.
  if (const std::uint64_t left = done.entry_capacity - done.entries;
      left * 10 < done.entry_capacity)
    fmt::print("the table takes {} more entries only: {} of {} are used\n", left, done.entries,
               done.entry_capacity);
}

int run_grow(const Arguments& arguments) {
  const auto growth = grow(arguments);
  if (!growth) return report(growth.error(), arguments.json);
  const SpareGrowReply& done = growth->done;
  if (const std::string lack = set::lack_of_room(done.spare); !lack.empty()) warn(lack);
  if (arguments.json) {
    print_json({{"name", growth->name},
                {"running", growth->running},
                {"spare", done.spare},
                {"size_before_sectors", done.size_before_sectors},
                {"size_sectors", done.size_sectors},
                {"capacity_sectors", done.capacity_sectors},
                {"free_sectors", done.free_sectors},
                {"table_entries", done.entries},
                {"table_capacity", done.entry_capacity}});
  } else {
    print_text(*growth);
  }
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
A spare that is full, or nearly, can be made larger: extend its volume, or have it as a longer image,
or stop the set and copy the spare to a larger device (then the former one must go: two of them are
ambiguous). `grow` then takes over all the room that is there, while the set runs or not. With --size
it makes an image that long itself, with all its room reserved.

Nothing moves: the metadata stays where it is, and so does what was remapped. From then on versions of
dm-remap before this one refuse the set as that of a newer version, since they would not find what
lies in the new room; and a spare that becomes smaller again is refused. A table that is full
(table-full) does not get longer by it.
)",
      .examples = {{"dmremap spare grow backup --size 2GiB", "make the image 2 GiB long"},
                   {"lvextend -L +1G vg/spare; dmremap spare grow backup",
                    "a volume that was extended"},
                   {"losetup -c /dev/loop3; dmremap spare grow backup",
                    "a loop device whose file became longer"},
                   {"dmremap spare grow /dev/sdd", "a stopped set, by its spare"}},
      .exits = {{0, "the set uses the new room"},
                {1, "failed: no such set, no room for a longer image, no metadata"},
                {3,
                 "refused: there is no new room, the spare became smaller, the set is in doubt, "
                 "or a stopped one is in use"}},
      .json =
          "name, running, spare, size_before_sectors, size_sectors, capacity_sectors, "
          "free_sectors, table_entries, table_capacity",
      .see_also = {"status", "copy", "unremap", "release"}};
}

}  // namespace

void add_spare(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb("spare", "Give a set more room on its spare");
  verb.require_verb();
  verb.describe(prose());

  const auto arguments = std::make_shared<Arguments>();
  manual::Verb growing =
      verb.add_verb("grow", "Take over the room of a spare that became larger, or make it longer");
  add_devices(
      growing, arguments->devices,
      "the set; or, of one that is stopped, its spare, and other devices of it may be named")
      .required();
  growing
      .add_option("--size", arguments->size,
                  "make the spare, which is an image, that long first; K, M, G, T")
      .type_name("SIZE");
  growing.add_flag("--json", arguments->json, "JSON instead of text");
  growing.when_given(
      [&chosen, arguments] { chosen = [arguments] { return run_grow(*arguments); }; });
}

}  // namespace dmremap::cli
