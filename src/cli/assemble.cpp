// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/discovered.hpp"
#include "cli/common/export_choice.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "daemon/background.hpp"
#include "discovery/uuid_prefix.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> names;
  bool all = false;
  std::vector<std::string> exports;
  bool read_only = false;
  bool json = false;
};

struct StartOutcome {
  discovery::DiscoveredSet set;
  std::vector<control::ExportReport> exports;
  std::optional<Error> error;
};

json json_of(const StartOutcome& outcome) {
  const char* what = outcome.error ? "not-started" : outcome.set.running ? "running" : "started";
  const std::string& name = outcome.set.name;
  return {{"name", name.empty() ? json() : json(name)},
          {"uuid", to_string(outcome.set.uuid)},
          {"outcome", what},
          {"exports", outcome.exports},
          {"error", outcome.error ? os::to_json(*outcome.error) : json()}};
}

void print_text(const StartOutcome& outcome) {
  const std::string name =
      outcome.set.name.empty() ? to_string(outcome.set.uuid) : printable(outcome.set.name);
  if (outcome.error) {
    fmt::print("{}: not started: {}\n", name, printable(outcome.error->message()));
  } else if (outcome.set.running) {
    fmt::print("{}: runs already\n", name);
  } else {
    fmt::print("{}: started", name);
    for (const control::ExportReport& one : outcome.exports) {
      fmt::print(" {}", printable(one.where));
    }
    fmt::print("\n");
  }
}

// The error for the sets that were not started, as one line. A failure goes before a refusal,
// because it is not for the user to decide.
std::optional<Error> sum_up(const std::vector<StartOutcome>& outcomes) {
  std::optional<Error> worst;
  std::size_t failed = 0;
  for (const StartOutcome& outcome : outcomes) {
    if (!outcome.error) continue;
    ++failed;
    if (!worst || class_of(outcome.error->code) < class_of(worst->code)) worst = outcome.error;
  }
  if (worst && worst->where.empty()) worst->where = outcomes.front().set.name;
  if (worst && outcomes.size() > 1) {
    worst->where = "assemble";
    worst->what = fmt::format("{} of {} sets were not started", failed, outcomes.size());
    worst->hint = "what is said of each tells why, and so does `dmremap discover`";
  }
  return worst;
}

// The sets that a user means by a word, by their places among those that were found: those of that
// name, or the one whose UUID begins so where no set has that name.
Result<std::vector<std::size_t>> meant_by(const std::string& word,
                                          const std::vector<discovery::DiscoveredSet>& found) {
  std::vector<std::size_t> named;
  std::vector<std::size_t> begun;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (found[i].name == word) named.push_back(i);
    if (discovery::is_uuid_prefix(word, found[i].uuid)) begun.push_back(i);
  }
  if (!named.empty()) return named;
  if (begun.size() > 1) {
    return fail(ErrorCode::usage, fmt::format("the UUIDs of {} sets begin like this", begun.size()),
                word, "give more of it, or a name: `dmremap discover` shows both");
  }
  if (begun.empty()) {
    return fail(ErrorCode::missing_device, "no device with the metadata of this set was found",
                word, "connect it, or name its devices: `dmremap start MAIN SPARE`");
  }
  return begun;
}

Result<std::vector<StartOutcome>> find(const Arguments& arguments,
                                       const control::RuntimeDir& runtime) {
  std::vector<discovery::DiscoveredSet> found = discover_sets({}, runtime).sets;
  std::vector<bool> is_meant(found.size(), arguments.all);
  for (const std::string& word : arguments.names) {
    const auto meant = meant_by(word, found);
    if (!meant) return failure_of(meant);
    for (const std::size_t index : *meant) is_meant[index] = true;
  }
  std::vector<StartOutcome> out;
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!is_meant[i]) continue;
    StartOutcome& outcome = out.emplace_back();
    outcome.error = found[i].problem;
    outcome.set = std::move(found[i]);
  }
  // Two sets of one name cannot both run.
  for (StartOutcome& outcome : out) {
    const auto namesakes = std::ranges::count_if(
        out, [&](const StartOutcome& other) { return other.set.name == outcome.set.name; });
    if (namesakes > 1 && !outcome.set.running && !outcome.error) {
      outcome.error = Error{ErrorCode::ambiguous, "several sets have this name", outcome.set.name,
                            "name the devices of one: `dmremap start MAIN SPARE`"};
    }
  }
  return out;
}

// Starts one set in the background. Returns true in the child that served the set, after that has
// ended: it must start no further sets.
bool start(StartOutcome& outcome, const daemon::StartOptions& how,
           const control::RuntimeDir& runtime, int& ended) {
  daemon::StartOptions options = how;
  options.devices = {outcome.set.spare, outcome.set.main};
  const daemon::BackgroundStart background = daemon::start_in_background(options, runtime);
  if (background.is_child) {
    ended = background.ended ? kDone : kFailed;
    return true;
  }
  const Result<control::StartReport>& served = background.served;
  if (served) {
    outcome.exports = served->exports;
  } else {
    outcome.error = served.error();
  }
  return false;
}

int run(const Arguments& arguments) {
  if (arguments.all == !arguments.names.empty()) {
    return report(Error{ErrorCode::usage, "give either names of sets or --all", "assemble",
                        "see `dmremap discover` for what there is"},
                  arguments.json);
  }
  for (const std::string& name : arguments.names) {
    if (auto named = discovery::check_set_name(name); !named) {
      return report(named.error(), arguments.json);
    }
  }
  auto exports = parse_exports(arguments.exports);
  if (!exports) return report(exports.error(), arguments.json);
  daemon::StartOptions options;
  options.open.read_only = arguments.read_only;
  options.exports = possible_exports(std::move(*exports));
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (auto made = runtime->make(); !made) return report(made.error(), arguments.json);
  auto outcomes = find(arguments, *runtime);
  if (!outcomes) return report(outcomes.error(), arguments.json);
  for (StartOutcome& outcome : *outcomes) {
    int ended = kDone;
    if (outcome.set.whole() && !outcome.error && start(outcome, options, *runtime, ended)) {
      return ended;
    }
  }
  json sets = json::array();
  for (const StartOutcome& outcome : *outcomes) {
    if (arguments.json) {
      sets.push_back(json_of(outcome));
    } else if (!outcome.error || outcomes->size() > 1) {
      print_text(outcome);
    }
  }
  if (arguments.json) print_json({{"sets", std::move(sets)}});
  if (!arguments.json && outcomes->empty()) fmt::print("no sets found\n");
  std::fflush(stdout);
  const auto error = sum_up(*outcomes);
  return error ? report(*error, arguments.json) : kDone;
}

manual::Prose prose() {
  return {.description = R"(
Starts what is whole: the sets that are named, or with `--all` every set that `dmremap discover` finds
complete and unambiguous, each as `dmremap start` would. Sets that run already stay as they are; what
cannot be started is named with the reason, and the others are started all the same.
)",
          .examples = {{"dmremap assemble --all", "at boot, or after the disks were moved"},
                       {"dmremap assemble backup films", "two of them"}},
          .exits = {{0, "all that was asked for runs"},
                    {1, "failed: a device cannot be read, or the set cannot be served"},
                    {3, "refused: one is in doubt, forked, ambiguous, or lacks a device"}},
          .json = "sets[] with name, outcome, exports[], error",
          .see_also = {"discover", "start", "list"}};
}

}  // namespace

void add_assemble(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "assemble",
      "Find a set, or all, and start what is whole; says of each what was done or why not");
  const auto arguments = std::make_shared<Arguments>();
  add_set_names(verb, arguments->names, "the sets");
  verb.add_flag("-a,--all", arguments->all, "every set that is found");
  verb.add_option("--export", arguments->exports, "as of start; may be repeated")
      .type_name("auto|dm|ublk|block|fuse|nbd")
      .repeated();
  verb.add_flag("--read-only", arguments->read_only, "write nothing, anywhere");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
