// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/size_text.hpp"
#include "claims/claim_store.hpp"
#include "claims/present_devices.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "control/runtime_dir.hpp"
#include "discovery/hints.hpp"
#include "metadata/offline.hpp"
#include "set/status.hpp"

namespace dmremap::cli {

namespace {

using metadata::Survey;
using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  bool copied = false;
  std::string discard;
  bool json = false;
};

// Sectors for which main alone is not enough: their data is on the spare, or main's is stale.
// The number of sectors whose newest data main does not have: they are on the spare or gone.
std::uint64_t sectors_elsewhere(const Survey& survey) {
  std::uint64_t sectors = 0;
  for (const format::Extent& extent : survey.content->extents) {
    if (extent.state() == format::State::remapped || extent.state() == format::State::gone) {
      sectors += extent.main().count.value;
    }
  }
  return sectors;
}

// The copy that the winner records. A start or a later commit makes the record invalid.
std::optional<format::CopyRecord> recorded_copy(const Survey& survey) {
  if (!survey.content || !survey.decision.winner) return std::nullopt;
  return survey.content->copy;
}

// Whoever releases a full spare may want nothing but a larger one.
std::string way_to_more_room(const format::Content& content) {
  const set::Status status = set::stopped_status(content, {}, {}, {});
  const bool scarce = std::ranges::any_of(status.reports, [](const set::ConditionReport& report) {
    return report.condition == set::Condition::spare_full ||
           report.condition == set::Condition::spare_low;
  });
  if (!scarce) return {};
  return fmt::format(
      "; if it is for more room: `dmremap spare grow {}` after making the spare "
      "larger",
      content.identity.name);
}

Result<void> check_nothing_is_lost(const Survey& survey, const Arguments& arguments,
                                   const std::string& path) {
  const std::string uuid = to_string(*survey.set_uuid);
  if (survey.newer_format || survey.newer_read_only) {
    return fail(ErrorCode::metadata_newer, "metadata of a newer version of dm-remap", path,
                "use that version; nothing was written");
  }
  if (!arguments.discard.empty()) {
    if (parse_uuid(arguments.discard) == survey.set_uuid) return {};
    return fail(ErrorCode::still_remapped,
                fmt::format("holds the set {}, not the one whose data is to be discarded", uuid),
                path, "nothing was written");
  }
  if (!survey.decision.writable()) {
    return fail(ErrorCode::metadata_doubtful,
                "what the set holds is not known for certain: " + survey.reason, path,
                "--discard-data " + uuid + " gives up whatever it is");
  }
  const std::uint64_t elsewhere = sectors_elsewhere(survey);
  if (elsewhere == 0) return {};
  if (arguments.copied && recorded_copy(survey)) return {};
  if (arguments.copied) {
    return fail(ErrorCode::still_remapped, "no verified copy of the disk is recorded", path,
                "`dmremap copy` it, then stop it with nothing written in between; or give up the "
                "data of its "
                "remapped sectors with --discard-data " +
                    uuid);
  }
  return fail(ErrorCode::still_remapped,
              fmt::format("{} of the disk {} on this spare, or newer than what main holds",
                          counted(elsewhere, "sector"), elsewhere == 1 ? "is" : "are"),
              path,
              fmt::format("copy the disk first (`dmremap copy`), or start the set and bring them "
                          "back with `dmremap unremap {} --all`; --discard-data {} gives them up{}",
                          survey.content->identity.name, uuid, way_to_more_room(*survey.content)));
}

// What this host keeps of the set, once its metadata is gone: the claim, which still hides main,
// and the hint. The claim of another set of that name stays.
void forget(const json& set) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return;
  const claims::ClaimStore store(runtime->claims());
  for (const claims::ClaimFile& file : store.all()) {
    if (!file.claim || to_string(file.claim->set_uuid) != set["uuid"]) continue;
    if (auto removed = store.remove(file.name); !removed) {
      warn("main stays hidden: " + removed.error().message());
    }
    claims::ask_udev_again(*file.claim);
  }
  if (set["name"].is_string()) {
    discovery::Hints(runtime->hints()).forget(set["name"].get<std::string>());
  }
}

// The metadata is erased only after everything was checked.
Result<json> release(const Arguments& arguments) {
  auto spare = hold_spare(arguments.devices);
  if (!spare) return failure_of(spare);
  const std::string path = spare->device->path();
  if (auto fine = check_nothing_is_lost(spare->survey, arguments, path); !fine) {
    return failure_of(fine);
  }
  const json set = set_json(spare->survey);
  const auto copy = arguments.copied ? recorded_copy(spare->survey) : std::nullopt;
  if (auto done = metadata::release(*spare->device, spare->survey); !done) {
    return failure_of(done);
  }
  forget(set);
  return json{{"set", set},
              {"copied", copy.has_value()},
              {"left_out_sectors", copy ? json(copy->left_out.value) : json()},
              {"spare", path},
              {"discarded_sectors",
               spare->survey.content ? json(sectors_elsewhere(spare->survey)) : json()}};
}

int run(const Arguments& arguments) {
  const auto done = release(arguments);
  if (!done) return report(done.error(), arguments.json);
  if (arguments.json) {
    print_json(*done);
  } else {
    fmt::print("{} released; {} is free\n", set_text((*done)["set"]),
               printable((*done)["spare"].get<std::string>()));
    const json& left_out = (*done)["left_out_sectors"];
    if (left_out.is_number() && left_out != 0) {
      fmt::print("{} sectors were lost and are not in the copy\n", left_out.get<std::uint64_t>());
    }
  }
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Erases the metadata on the spare, which is free afterwards; main is not touched. While data of the
disk is on the spare it is refused: copy the disk first, or bring the data back with `dmremap
unremap NAME --all`, or give it up by naming the set.
)",
          .examples =
              {{"dmremap release backup", "nothing is remapped: main is whole by itself"},
               {"dmremap release /dev/sdc1", "the same by its spare"},
               {"dmremap release ./spare.img --discard-data 431a65fc-7484-46c4-bade-24f6ad223042",
                "give up what the spare holds of that set"}},
          .exits = {{0, "the spare is free"},
                    {1, "failed: no metadata, or it cannot be erased"},
                    {3, "refused: sectors are still remapped, the set is in doubt or in use"}},
          .json = "set, spare, copied, left_out_sectors or null, discarded_sectors or null",
          .see_also = {"unremap", "create", "resolve"}};
}

}  // namespace

void add_release(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "release", "End a stopped set: erase its metadata and free the spare; main is not touched");
  const auto arguments = std::make_shared<Arguments>();
  add_devices(verb, arguments->devices,
              "the set; or its spare, and other devices of it may be named")
      .required();
  verb.add_flag("--copied", arguments->copied,
                "a verified `dmremap copy` was made, and nothing written since");
  verb.add_option("--discard-data", arguments->discard,
                  "give up what the spare holds of the set with this UUID")
      .type_name("UUID");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
