// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "claims/claim_store.hpp"
#include "claims/present_devices.hpp"
#include "cli/common/discovered.hpp"
#include "cli/common/export_choice.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "daemon/background.hpp"
#include "discovery/hardware_names.hpp"
#include "discovery/uuid_prefix.hpp"
#include "os/child_work.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

struct Arguments {
  std::vector<std::string> names;
  bool all = false;
  std::vector<std::string> exports;
  std::string deadline;
  bool read_only = false;
  bool json = false;
};

struct StartOutcome {
  discovery::DiscoveredSet set;
  std::vector<control::ExportReport> exports;
  std::optional<Error> error;
  bool lacks_answer = false;  // the error is that of a device that did not answer in time
};

// What a search found of what was asked for.
struct Search {
  std::vector<StartOutcome> outcomes;
  std::vector<Error> silent;
  // A set that was asked for was not found: it may lie on a device that did not answer.
  std::optional<Error> missing;

  [[nodiscard]] bool lacks_answer() const {
    return missing || std::ranges::any_of(outcomes, &StartOutcome::lacks_answer);
  }
};

// A set that lacks the answer of a device is looked for again, for this many times as long: by
// default as long as a failing disk may take over a bad sector (os::kTaskPatience).
constexpr int kSecondPatience = 6;

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

// True if the spare that was found is the device that this host claims for the set, by names that
// no copy of it has.
bool is_claimed_spare(const discovery::DiscoveredSet& set,
                      const std::vector<claims::ClaimFile>& claims,
                      const discovery::SharedFacts& shared) {
  return std::ranges::any_of(claims, [&](const claims::ClaimFile& file) {
    if (!file.claim || file.claim->set_uuid != set.uuid) return false;
    const auto device = claims::look_at(set.spare);
    return device && claims::role_in(*file.claim, *device, shared) == claims::Role::spare;
  });
}

// A device that does not answer may hold the spare of which another device has an older copy.
// Unless this host knows that the one that was found is no copy, the set waits for the second look.
void hold_back_copies(Search& search, const control::RuntimeDir& runtime) {
  const auto claims = claims::ClaimStore(runtime.claims()).all();
  const auto shared = discovery::shared_facts(discovery::names_of_disks());
  for (StartOutcome& one : search.outcomes) {
    if (one.error || one.set.running || is_claimed_spare(one.set, claims, shared)) continue;
    one.error = Error{ErrorCode::missing_device,
                      "a device that did not answer may hold a newer copy of its spare",
                      search.silent.front().where, "unplug it, or name the devices of the set"};
    one.lacks_answer = true;
  }
}

// Two sets of one name cannot both run.
void refuse_namesakes(std::vector<StartOutcome>& outcomes) {
  for (StartOutcome& outcome : outcomes) {
    const auto namesakes = std::ranges::count_if(
        outcomes, [&](const StartOutcome& other) { return other.set.name == outcome.set.name; });
    if (namesakes > 1 && !outcome.set.running && !outcome.error) {
      outcome.error = Error{ErrorCode::ambiguous, "several sets have this name", outcome.set.name,
                            "name the devices of one: `dmremap start MAIN SPARE`"};
    }
  }
}

Result<Search> find(const Arguments& arguments, const control::RuntimeDir& runtime,
                    std::chrono::seconds patience) {
  Search out;
  discovery::Discovery discovered = discover_sets({}, runtime, patience);
  out.silent = std::move(discovered.silent);
  std::vector<discovery::DiscoveredSet>& found = discovered.sets;
  std::vector<bool> is_meant(found.size(), arguments.all);
  for (const std::string& word : arguments.names) {
    const auto meant = meant_by(word, found);
    if (!meant && (out.silent.empty() || meant.error().code != ErrorCode::missing_device)) {
      return failure_of(meant);
    }
    if (!meant) {
      out.missing = meant.error();
      continue;
    }
    for (const std::size_t index : *meant) is_meant[index] = true;
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (!is_meant[i]) continue;
    StartOutcome& outcome = out.outcomes.emplace_back();
    outcome.error = found[i].problem;
    outcome.lacks_answer = found[i].lacks_answer;
    outcome.set = std::move(found[i]);
  }
  refuse_namesakes(out.outcomes);
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

// Starts those that are whole. Returns the exit code in a child that served one; else nothing.
std::optional<int> start_whole(Search& search, const daemon::StartOptions& how,
                               const control::RuntimeDir& runtime) {
  for (StartOutcome& outcome : search.outcomes) {
    int ended = kDone;
    if (outcome.set.whole() && !outcome.error && start(outcome, how, runtime, ended)) return ended;
  }
  return std::nullopt;
}

// What became of the sets after two looks: one that the first look had started runs by the second.
void keep_started(const Search& first, Search& second) {
  for (StartOutcome& outcome : second.outcomes) {
    const auto before = std::ranges::find_if(first.outcomes, [&](const StartOutcome& other) {
      return other.set.uuid == outcome.set.uuid && !other.set.running && !other.error;
    });
    if (before != first.outcomes.end()) outcome = *before;
  }
}

int print(const Search& search, const Arguments& arguments) {
  json sets = json::array();
  for (const StartOutcome& outcome : search.outcomes) {
    if (arguments.json) {
      sets.push_back(json_of(outcome));
    } else if (!outcome.error || search.outcomes.size() > 1) {
      print_text(outcome);
    }
  }
  json others = json::array();
  for (const Error& error : search.silent) others.push_back(os::to_json(error));
  if (arguments.json) print_json({{"sets", std::move(sets)}, {"others", std::move(others)}});
  if (!arguments.json && search.outcomes.empty()) fmt::print("no sets found\n");
  std::fflush(stdout);
  auto error = sum_up(search.outcomes);
  if (!error) error = search.missing;
  // Where sets were named, a device that holds none of them is no failure.
  const auto incomplete = search_error(search.silent);
  if (!error && arguments.all) error = incomplete;
  if (!error && incomplete && !arguments.json) warn(incomplete->message());
  return error ? report(*error, arguments.json) : kDone;
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
  const auto deadline = search_deadline(arguments.deadline);
  if (!deadline) return report(deadline.error(), arguments.json);
  auto exports = parse_exports(arguments.exports);
  if (!exports) return report(exports.error(), arguments.json);
  daemon::StartOptions options;
  options.open.read_only = arguments.read_only;
  options.exports = possible_exports(std::move(*exports));
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (auto made = runtime->make(); !made) return report(made.error(), arguments.json);
  auto search = find(arguments, *runtime, *deadline);
  if (!search) return report(search.error(), arguments.json);
  if (!search->silent.empty()) hold_back_copies(*search, *runtime);
  if (const auto ended = start_whole(*search, options, *runtime)) return *ended;
  if (!search->lacks_answer()) return print(*search, arguments);
  warn(fmt::format("looking again, for up to {} s: {}",
                   std::chrono::seconds(*deadline * kSecondPatience).count(),
                   search->silent.front().message()));
  auto second = find(arguments, *runtime, *deadline * kSecondPatience);
  if (!second) {
    search->missing = second.error();
    return print(*search, arguments);
  }
  if (const auto ended = start_whole(*second, options, *runtime)) return *ended;
  keep_started(*search, *second);
  return print(*second, arguments);
}

manual::Prose prose() {
  return {.description = R"(
Starts what is whole: the sets that are named, or with `--all` every set that `dmremap discover` finds
complete and unambiguous, each as `dmremap start` would. Sets that run already stay as they are; what
cannot be started is named with the reason, and the others are started all the same.

All devices are read at the same time. What is whole without a device that answers nothing for --deadline seconds, 15
if none are given, is started then, if this host claims its spare: a copy of that may lie on the device. What
lacks the device is looked for again, six times as long, for a failing disk may take a minute over a bad sector. With
`--all` a device that has not answered by then makes the exit code 1: a set may lie on it.
)",
          .examples = {{"dmremap assemble --all", "at boot, or after the disks were moved"},
                       {"dmremap assemble backup films", "two of them"}},
          .exits = {{0, "all that was asked for runs"},
                    {1,
                     "failed: a device cannot be read, or the set cannot be served; with --all: a "
                     "device did not answer"},
                    {3, "refused: one is in doubt, forked, ambiguous, or lacks a device"}},
          .json = "sets[] with name, outcome, exports[], error; others[] that did not answer",
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
  add_search_deadline(verb, arguments->deadline);
  verb.add_flag("--read-only", arguments->read_only, "write nothing, anywhere");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] {
    chosen = [arguments] { return os::run_in_child([arguments] { return run(*arguments); }); };
  });
}

}  // namespace dmremap::cli
