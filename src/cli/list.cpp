// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

#include <fmt/format.h>

#include "cli/lookup.hpp"
#include "cli/output.hpp"
#include "cli/verb.hpp"

namespace dmremap::cli {

namespace {

using nlohmann::json;

// A set whose process died is listed too: its device still stands, and no longer answers.
json describe(const control::RuntimeDir& runtime, const std::string& name) {
  json out{{"name", name},
           {"uuid", nullptr},
           {"pid", nullptr},
           {"state", "stopped"},
           {"reason", "its process died; start it again"},
           {"exports", json::array()}};
  if (!is_running(runtime, name)) return out;
  const auto status = running_status(runtime, name);
  if (!status) {
    out["pid"] = control::holder_of(runtime.pid_file(name)).value_or(0);
    out["state"] = "unknown";
    out["reason"] = status.error().what;
    return out;
  }
  for (const char* field : {"uuid", "pid", "state", "reason", "exports"}) {
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

int run(bool as_json) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), as_json);
  json sets = json::array();
  for (const std::string& name : runtime->names()) sets.push_back(describe(*runtime, name));
  if (as_json) {
    print_json({{"sets", sets}});
    return kDone;
  }
  for (const json& set : sets) {
    fmt::print(
        "{:<20} {:<10} {}\n", set["name"].get<std::string>(), set["state"].get<std::string>(),
        set["pid"].is_null() ? set["reason"].get<std::string>() : printable(exports_of(set)));
  }
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
One line for each set that runs here: name, state, where it is served. A set whose process died is
listed as stopped; `dmremap start` clears away what it left.
)",
          .examples = {{"dmremap list", "what runs"}, {"dmremap list --json", "for scripts"}},
          .exits = {{0, "done, also when nothing runs"}},
          .json = "sets[]{name, uuid, pid, state, reason, exports}",
          .see_also = {"status", "start"}};
}

}  // namespace

void add_list(CLI::App& app, Chosen& chosen) {
  CLI::App* verb = app.add_subcommand("list", "The running sets");
  const auto as_json = std::make_shared<bool>(false);
  verb->add_flag("--json", *as_json, "JSON instead of text");
  manual::describe(*verb, prose());
  verb->callback([&chosen, as_json] { chosen = [as_json] { return run(*as_json); }; });
}

}  // namespace dmremap::cli
