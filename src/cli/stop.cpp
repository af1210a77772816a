// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>

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
  std::string name;
  bool json = false;
};

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  auto client = connect(*runtime, arguments.name);
  if (!client) return report(client.error(), arguments.json);
  const os::ProcessEnd process(control::holder_of(runtime->pid_file(arguments.name)).value_or(0));
  const auto answer = client->call(control::StopRequest{}, kWorkTime);
  if (!answer) {
    Error error = answer.error();
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  }
  // The set has said that it stopped; it is over when its process has let go of everything: of its
  // log too, which keeps a file system busy.
  if (!process.wait(kAnswerTime)) {
    return report({ErrorCode::timeout, "was stopped, but its process does not end", arguments.name,
                   "see " + runtime->log(arguments.name)},
                  arguments.json);
  }
  if (arguments.json) print_json({{"name", arguments.name}, {"state", "stopped"}});
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Flushes, takes the virtual device away, records in the metadata that main is as it was left, and
returns when the process has ended. While the device is mounted or open it is refused, naming by
whom, and the set goes on.
)",
          .examples = {{"umount /mnt && dmremap stop backup", "unmount first"}},
          .exits = {{0, "it has ended"},
                    {1, "failed: no such set runs, or its last flush or commit failed"},
                    {3, "refused: the device is in use"}},
          .json = "name, state",
          .see_also = {"start", "list"}};
}

}  // namespace

void add_stop(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("stop", "Flush, detach and end a set; refused while its device is in use");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
