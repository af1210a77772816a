// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/host_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

// A set whose process died is listed too: its device still stands, and no longer answers.
json describe(const control::RuntimeDir& runtime, const std::string& name) {
  json out{{"name", name},
           {"uuid", nullptr},
           {"pid", nullptr},
           {"state", "stopped"},
           {"conditions", {"stopped", "died"}},
           {"reason", death_of(runtime, name)},
           {"needs_attention", true},
           {"exports", json::array()}};
  if (!is_running(runtime, name)) return out;
  const auto status = running_status(runtime, name);
  if (!status) {
    out["pid"] = control::holder_of(runtime.pid_file(name)).value_or(0);
    out["state"] = "unknown";
    out["conditions"] = json::array();
    out["reason"] = status.error().what;
    return out;
  }
  for (const char* field :
       {"uuid", "pid", "state", "conditions", "reason", "needs_attention", "exports"}) {
    out[field] = status->value(field, json());
  }
  return out;
}

std::string exports_of(const json& set) {
  std::string out;
  for (const json& entry : set["exports"]) {
    if (!out.empty()) out += " ";
    out += entry.value("where", "");
  }
  return out;
}

// "degraded, spare-away"; of a set that does not answer, that its state is unknown.
std::string words_of(const json& set) {
  const auto conditions = set["conditions"].get<std::vector<std::string>>();
  return conditions.empty() ? set["state"].get<std::string>()
                            : fmt::format("{}", fmt::join(conditions, ", "));
}

// Where a set is served, and what is wrong with it.
std::string remarks_of(const json& set) {
  std::string out = printable(exports_of(set));
  if (!set["needs_attention"].get<bool>()) return out;
  return fmt::format("{}{}({})", out, out.empty() ? "" : " ",
                     printable(set["reason"].get<std::string>()));
}

int run(bool as_json) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), as_json);
  json sets = json::array();
  for (const std::string& name : runtime->names()) sets.push_back(describe(*runtime, name));
  const bool attention =
      std::ranges::any_of(sets, [](const json& set) { return set["needs_attention"].get<bool>(); });
  if (as_json) {
    print_json({{"sets", sets}});
  } else {
    for (const json& set : sets) {
      fmt::print("{:<20} {:<10} {}\n", set["name"].get<std::string>(), words_of(set),
                 remarks_of(set));
    }
  }
  return attention ? kAttention : kDone;
}

manual::Prose prose() {
  return {.description = R"(
One line for each set that runs here: name, state and conditions (`dmremap status` tells of them),
where it is served, and what is wrong with it. A set whose process died is listed as stopped and
died; `dmremap start` clears away what it left.
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

void add_list(manual::Verb app, Chosen& chosen) {
  manual::Verb verb =
      app.add_verb("list", "The running sets; exit status 4 if one needs attention");
  const auto as_json = std::make_shared<bool>(false);
  verb.add_flag("--json", *as_json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, as_json] { chosen = [as_json] { return run(*as_json); }; });
}

}  // namespace dmremap::cli
