// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "control/runtime_dir.hpp"
#include "os/process_end.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::vector<std::string> names;
  bool all = false;
  bool power_off = false;
  bool json = false;
};

// The process goes on: what has to be read until the machine is off is read from the set.
Result<void> prepare_power_off(const control::RuntimeDir& runtime, const std::string& name) {
  auto client = connect(runtime, name);
  if (!client) return failure_of(client);
  const auto answer = client->call(control::PowerOffRequest{}, kWorkTime);
  return answer ? Result<void>() : failure_of(answer);
}

Result<void> stop(const control::RuntimeDir& runtime, const std::string& name) {
  auto client = connect(runtime, name);
  if (!client) return failure_of(client);
  const os::ProcessEnd process(control::holder_of(runtime.pid_file(name)).value_or(0));
  const auto answer = client->call(control::StopRequest{}, kWorkTime);
  if (!answer) {
    Error error = answer.error();
    if (error.where.empty()) error.where = name;
    return tl::unexpected(std::move(error));
  }
  // The set has said that it stopped; it is over when its process has let go of everything: of its
  // log too, which keeps a file system busy.
  if (process.wait(kAnswerTime)) return {};
  return fail(ErrorCode::timeout, "was stopped, but its process does not end", name,
              "see " + runtime.log(name));
}

std::vector<std::string> running_names(const control::RuntimeDir& runtime) {
  std::vector<std::string> out = runtime.names();
  std::erase_if(out, [&](const std::string& name) { return !is_running(runtime, name); });
  return out;
}

// One that cannot be stopped does not keep the others up.
int run(const Arguments& arguments) {
  if (arguments.all == !arguments.names.empty()) {
    return report(Error{ErrorCode::usage, "give either names of sets or --all", "stop",
                        "`dmremap list` says what runs"},
                  arguments.json);
  }
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  const std::vector<std::string> names = arguments.all ? running_names(*runtime) : arguments.names;
  nlohmann::json stopped = nlohmann::json::array();
  int exit = kDone;
  for (const std::string& name : names) {
    const auto done =
        arguments.power_off ? prepare_power_off(*runtime, name) : stop(*runtime, name);
    if (done) {
      stopped.push_back({{"name", name}, {"state", arguments.power_off ? "read-only" : "stopped"}});
    } else {
      exit = std::max(exit, report(done.error(), arguments.json));
    }
  }
  const bool one = !arguments.all && names.size() == 1;
  if (arguments.json && !one) {
    print_json({{"sets", std::move(stopped)}});
  } else if (arguments.json && !stopped.empty()) {
    print_json(stopped.front());
  }
  return exit;
}

manual::Prose prose() {
  return {.description = R"(
Flushes, takes the virtual device away, records in the metadata that main is as it was left, and
returns when the process has ended. While the device is mounted or open it is refused, naming by
whom, and the set goes on. Of several sets those that can be stopped are.
)",
          .examples = {{"umount /mnt && dmremap stop backup", "unmount first"},
                       {"dmremap stop --all", "before the machine goes down"}},
          .exits = {{0, "it has ended"},
                    {1, "failed: no such set runs, or its last flush or commit failed"},
                    {3, "refused: the device is in use"}},
          .json = "name, state; of several and with --all sets[]{name, state} that were stopped",
          .see_also = {"start", "list"}};
}

}  // namespace

void add_stop(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("stop", "Flush, detach and end a set; refused while its device is in use");
  const auto arguments = std::make_shared<Arguments>();
  add_set_names(verb, arguments->names, "the sets");
  verb.add_flag("-a,--all", arguments->all, "every set that runs");
  verb.add_flag(
      "--power-off", arguments->power_off,
      "the last step of a shutdown, for the set of the root file system: record a clean stop "
      "and serve reads alone until the machine is off; what is written waits for ever");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
