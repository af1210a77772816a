// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/common/examined_set.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_devices.hpp"
#include "cli/common/verb.hpp"
#include "metadata/offline.hpp"

namespace dmremap::cli {

namespace {

using metadata::CommitName;
using metadata::Survey;
using nlohmann::json;

struct Arguments {
  std::vector<std::string> devices;
  std::string keep;
  bool dry_run = false;
  bool json = false;
};

struct ResolveOutcome {
  json set;
  CommitName kept;
  std::optional<CommitName> made;
  std::vector<std::string> may_be_lost;
};

// Finds the commit by all of its 32 digits, or by as many of the first ones as distinguish it from
// the others.
Result<CommitName> find_commit(const Survey& survey, const std::string& text,
                               const std::string& where) {
  std::vector<CommitName> found;
  for (const CommitName& commit : metadata::whole_commits(survey)) {
    if (to_string(commit.id).starts_with(text)) found.push_back(commit);
  }
  if (found.size() == 1) return found.front();
  return fail(found.empty() ? ErrorCode::no_metadata : ErrorCode::usage,
              found.empty() ? "no slot holds the commit " + text + " whole"
                            : text + " fits several commits",
              where, "`dmremap examine` lists them");
}

// The number of sectors for which `other` has an entry that `kept` does not have.
std::uint64_t sectors_only_in(const format::Content& other, const format::Content& kept) {
  std::uint64_t sectors = 0;
  for (const format::Extent& extent : other.extents) {
    if (std::ranges::find(kept.extents, extent) == kept.extents.end()) {
      sectors += extent.main().count.value;
    }
  }
  return sectors;
}

// Lists what is given up: with each commit that could have been kept instead, and with the slots
// that cannot be read. Makes sectors of `content` gone that one of those commits may have
// overwritten.
std::vector<std::string> give_up(io::BlockDevice& spare, const Survey& survey,
                                 const CommitName& kept, format::Content& content) {
  std::vector<std::string> out;
  for (const CommitName& other : metadata::whole_commits(survey)) {
    if (other.id == kept.id || other.order() < kept.order()) continue;
    const auto theirs = metadata::read_commit(spare, survey, other.id);
    if (!theirs) continue;
    out.push_back(
        fmt::format("commit {} (sequence {}, term {}, {}): what it says of {} sectors is given up",
                    to_string(other.id), other.sequence, other.term, format_time(other.wall_ns),
                    sectors_only_in(*theirs, content)));
    if (const std::uint64_t shared = metadata::give_up_shared(content, *theirs); shared > 0) {
      out.push_back(fmt::format(
          "{} sectors whose place on the spare that commit gave to others: they become gone",
          shared));
    }
  }
  const auto hidden = metadata::hidden_slots(survey);
  if (!hidden.empty() || survey.decision.standing == metadata::Standing::doubtful) {
    out.push_back(fmt::format(
        "whatever was committed after sequence {} ({}) and is seen nowhere: sectors remapped since "
        "then read as main has them, and sectors of this commit may hold what was put there since",
        kept.sequence, format_time(kept.wall_ns)));
  }
  for (const metadata::DamagedSlot& slot : hidden) {
    out.push_back(fmt::format("copy {} slot {} (sector {}), {}: it is erased", slot.copy,
                              format::slot_name(slot.slot), slot.place.first.value,
                              format::name_of(slot.verdict)));
  }
  return out;
}

void note_event(format::Content& content, const CommitName& kept) {
  format::Event event;
  event.number = content.health.next_event++;
  event.wall_ns = system_clock().wall_ns();
  event.kind = format::EventKind::repair;
  event.severity = Severity::warning;
  event.text = fmt::format("resolved: kept commit {}", to_string(kept.id).substr(0, 8));
  auto& events = content.health.events;
  events.push_back(std::move(event));
  if (events.size() > format::kStoredEvents) events.erase(events.begin());
}

// Refuses to resolve a set whose latest commit is proved: keeping another one would roll it back.
Result<void> check_in_doubt(const Survey& survey, const CommitName& kept, const std::string& path) {
  if (!survey.decision.writable()) return {};
  if (kept.id == survey.decision.winner->id) {
    return fail(ErrorCode::not_in_doubt, "there is nothing to resolve: that commit is the latest",
                path, "start the set");
  }
  return fail(ErrorCode::not_in_doubt,
              "the latest commit is known: to keep an earlier one would roll back what was "
              "acknowledged",
              path, "start the set as it is");
}

Result<ResolveOutcome> resolve(const Arguments& arguments) {
  auto spare = hold_spare(arguments.devices);
  if (!spare) return failure_of(spare);
  const std::string& path = spare->device->path();
  if (!spare->survey.decision.winner) {
    return fail(ErrorCode::no_metadata, "not one slot holds a whole commit", path,
                "there is nothing to keep; `dmremap release --discard-data` frees the device");
  }
  if (spare->survey.newer_format || spare->survey.newer_read_only) {
    return fail(ErrorCode::metadata_newer, "metadata of a newer version of dm-remap", path,
                "use that version; nothing was written");
  }
  const auto kept = find_commit(spare->survey, arguments.keep, path);
  if (!kept) return failure_of(kept);
  if (auto doubt = check_in_doubt(spare->survey, *kept, path); !doubt) {
    return failure_of(doubt);
  }
  auto content = metadata::read_commit(*spare->device, spare->survey, kept->id);
  if (!content) {
    return fail(ErrorCode::io, "the commit was readable a moment ago and no longer is", path,
                "check cable, power and the kernel log");
  }
  ResolveOutcome out{set_json(spare->survey), *kept, std::nullopt,
                     give_up(*spare->device, spare->survey, *kept, *content)};
  // Nothing was written so far.
  if (arguments.dry_run) return out;
  note_event(*content, *kept);
  const auto made = metadata::resolve(*spare->device, spare->survey, kept->id, *content,
                                      system_random(), system_clock());
  if (!made) return failure_of(made);
  out.made = *made;
  return out;
}

void print_text(const ResolveOutcome& outcome) {
  fmt::print("{}\n", set_text(outcome.set));
  for (const std::string& line : outcome.may_be_lost) fmt::print("may be lost: {}\n", line);
  fmt::print("{} commit {} of sequence {}{}\n", outcome.made ? "kept" : "would keep",
             to_string(outcome.kept.id), outcome.kept.sequence,
             outcome.made ? fmt::format(", now sequence {}", outcome.made->sequence) : "");
}

int run(const Arguments& arguments) {
  const auto outcome = resolve(arguments);
  if (!outcome) return report(outcome.error(), arguments.json);
  if (arguments.json) {
    print_json({{"set", outcome->set},
                {"dry_run", arguments.dry_run},
                {"kept", commit_json(outcome->kept)},
                {"commit", outcome->made ? commit_json(*outcome->made) : json()},
                {"may_be_lost", outcome->may_be_lost}});
  } else {
    print_text(*outcome);
  }
  return kDone;
}

manual::Prose prose() {
  return {
      .description = R"(
Ends a fork, or a doubt that nothing can settle any more, by naming the commit to keep. It says what
may be lost with every other commit; slots that cannot be read are erased, so that they cannot come
back later. First bring back what is missing, and copy the spare: this cannot be undone.
)",
      .examples = {{"dmremap resolve ./spare.img --keep 77764956 --dry-run",
                    "what would be given up"},
                   {"dmremap resolve ./spare.img --keep 77764956",
                    "keep that commit; its first digits are enough"}},
      .exits = {{0, "done; the set starts again"},
                {1,
                 "failed: no such commit, no metadata, or a slot can neither be read nor written"},
                {3, "refused: the set is not in doubt, is in use, or of a newer version"}},
      .json = "set, dry_run, kept, commit, may_be_lost[]",
      .see_also = {"examine", "start", "release"}};
}

}  // namespace

void add_resolve(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "resolve", "End a fork, or a doubt that cannot be settled, by naming the commit to keep");
  const auto arguments = std::make_shared<Arguments>();
  add_devices(verb, arguments->devices,
              "the set; or its spare, and other devices of it may be named")
      .required();
  verb.add_option("--keep", arguments->keep, "the commit, as `dmremap examine` shows it")
      .type_name("COMMIT")
      .required()
      .check([](const std::string& text) {
        const bool fine = text.size() >= 4 && text.size() <= 32 &&
                          text.find_first_not_of("0123456789abcdef") == std::string::npos;
        return fine ? std::string() : std::string("a commit is 4 to 32 hexadecimal digits");
      });
  verb.add_flag("--dry-run", arguments->dry_run, "say what may be lost, write nothing");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
