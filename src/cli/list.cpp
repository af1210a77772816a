// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <optional>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/host_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

// One line of the list, which is one object of `list --json`.
struct ListedSet {
  std::string name;
  std::optional<Uuid> uuid;
  std::optional<std::int64_t> pid;
  std::string state;
  std::vector<std::string> conditions;
  std::string reason;
  bool needs_attention = true;
  std::vector<control::ExportReport> exports;
};
NLOHMANN_DEFINE_TYPE_NON_INTRUSIVE(ListedSet, name, uuid, pid, state, conditions, reason,
                                   needs_attention, exports)

// Describes a set. One whose process died is listed too: its device is still there, and no longer
// answers.
ListedSet describe(const control::RuntimeDir& runtime, const std::string& name) {
  ListedSet out;
  out.name = name;
  out.state = "stopped";
  out.conditions = {"stopped", "died"};
  out.reason = death_of(runtime, name);
  if (!is_running(runtime, name)) return out;
  const auto status = running_status(runtime, name);
  if (!status) {
    out.pid = control::holder_of(runtime.pid_file(name)).value_or(0);
    out.state = "unknown";
    out.conditions.clear();
    out.reason = status.error().what;
    return out;
  }
  out.uuid = status->uuid;
  out.pid = status->pid;
  out.state = status->state;
  out.conditions = status->conditions;
  out.reason = status->reason;
  out.needs_attention = status->needs_attention;
  out.exports = status->exports;
  return out;
}

// "degraded, spare-away"; of a set that does not answer, that its state is unknown.
std::string words_of(const ListedSet& set) {
  return set.conditions.empty() ? set.state : fmt::format("{}", fmt::join(set.conditions, ", "));
}

// Says where a set is served, and what is wrong with it.
std::string remarks_of(const ListedSet& set) {
  std::string out;
  for (const control::ExportReport& one : set.exports) {
    out += (out.empty() ? "" : " ") + printable(one.where);
  }
  if (!set.needs_attention) return out;
  return fmt::format("{}{}({})", out, out.empty() ? "" : " ", printable(set.reason));
}

int run(bool as_json) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), as_json);
  std::vector<ListedSet> sets;
  for (const std::string& name : runtime->names()) sets.push_back(describe(*runtime, name));
  const auto visible = check_visible(*runtime);
  if (sets.empty() && !visible) return report(visible.error(), as_json);
  if (!visible) warn(visible.error().message());
  const bool attention = std::ranges::any_of(sets, &ListedSet::needs_attention);
  if (as_json) {
    print_json({{"sets", sets}});
  } else {
    for (const ListedSet& set : sets) {
      fmt::print("{:<20} {:<10} {}\n", set.name, words_of(set), remarks_of(set));
    }
  }
  return attention ? kAttention : kDone;
}

manual::Prose prose() {
  return {.description = R"(
One line for each set that runs here: name, state and conditions (`dmremap status` tells of them),
where it is served, and what is wrong with it. A set whose process died is listed as stopped and
died; `dmremap start` clears away what it left. Where another user's sets may run that nobody else may see,
it says so: "permission denied", and it fails (1) if there is nothing else to list.
)",
          .examples = {{"dmremap list", "what runs"}, {"dmremap list --json", "for scripts"}},
          .exits = {{0, "done, also when nothing runs"},
                    {4,
                     "a set needs attention: it has a condition, its process died, or it does not "
                     "answer"}},
          .json = "sets[]{name, uuid, pid, state, conditions, reason, needs_attention, exports}",
          .see_also = {"status", "start"}};
}

}  // namespace

void add_list(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("list", "The running sets; exit status 4 if one needs attention");
  const auto as_json = std::make_shared<bool>(false);
  verb.add_flag("--json", *as_json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, as_json] { chosen = [as_json] { return run(*as_json); }; });
}

}  // namespace dmremap::cli
