// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "cli/common/disk_view.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/map_facts.hpp"
#include "cli/common/output.hpp"
#include "cli/common/streams.hpp"
#include "cli/common/verb.hpp"
#include "discovery/assembly.hpp"
#include "health/history.hpp"
#include "health/latency_profile.hpp"
#include "os/host_name.hpp"
#include "report/page.hpp"
#include "set/kept_sections.hpp"

namespace dmremap::cli {

namespace {

struct Arguments {
  std::string name;
  std::string html;
  bool json = false;
};

// The history is asked for apart from all else: a set of an older version does not know the verb,
// and its report is worth having without.
std::optional<control::HistoryReply> history_of(control::Client& client) {
  auto history = client.call(control::HistoryRequest{}, kAnswerTime);
  if (!history) return {};
  return std::move(*history);
}

Result<void> add_of_running(report::ReportFacts& facts, const control::RuntimeDir& runtime,
                            const std::string& name) {
  auto client = connect(runtime, name);
  if (!client) return failure_of(client);
  auto events = client->call(control::EventsRequest{}, kAnswerTime);
  if (!events) return failure_of(events);
  facts.events = std::move(events->events);
  facts.history = history_of(*client);
  return {};
}

Result<void> add_of_stopped(report::ReportFacts& facts, const control::RuntimeDir& runtime,
                            const std::string& name) {
  const auto spare = stopped_set(runtime, name);
  if (!spare) return failure_of(spare);
  if (spare->survey.content) {
    const format::Content& content = *spare->survey.content;
    facts.events = control::reports_of(content.health.events);
    if (const auto stored = set::stored_disk_history(content)) {
      if (const auto history = health::unpack_history(stored->history)) {
        facts.history = control::report_of(*history);
        if (const auto latency = set::stored_latency(content)) {
          facts.history->latency =
              control::report_of(health::unpack_latency_profile(latency->profile));
        }
      }
    }
  }
  return {};
}

Result<report::ReportFacts> gather(const std::string& name) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto disk = view_of(name);
  if (!disk) return failure_of(disk);
  report::ReportFacts out;
  out.running = disk->running;
  out.disk = disk_facts(*disk);
  out.set = std::move(disk->status);
  out.map = std::move(disk->map);
  auto added =
      out.running ? add_of_running(out, *runtime, name) : add_of_stopped(out, *runtime, name);
  if (!added) return failure_of(added);
  out.made_at = format_time(system_clock().wall_ns());
  out.made_by = "dmremap " DMREMAP_VERSION;
  out.host = os::host_name();
  return out;
}

int run(const Arguments& arguments) {
  const auto report_it = [&](Error error) {
    if (error.where.empty()) error.where = arguments.name;
    return report(error, arguments.json);
  };
  if (auto fine = check_output(arguments.html, "--html", arguments.json); !fine) {
    return report_it(fine.error());
  }
  const auto facts = gather(arguments.name);
  if (!facts) return report_it(facts.error());
  const std::string page = report::make_page(*facts);
  if (auto written = write_output(arguments.html, page); !written)
    return report_it(written.error());
  if (arguments.json) {
    const auto& health = facts->set.health;
    print_json({{"name", facts->set.name},
                {"uuid", to_string(facts->set.uuid)},
                {"file", arguments.html},
                {"bytes", page.size()},
                {"running", facts->running},
                {"verdict", health ? nlohmann::json(health->verdict) : nlohmann::json(nullptr)}});
  }
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Writes a page about a set that runs or is stopped, to hand to a colleague or to attach to a ticket:
the verdict on its disk with the reasons and the risk, what to do next with the commands for it, a
picture of the disk, what went bad over the last year and how long the spare will last, latencies,
the scan, the devices, the metadata and the last events.

The page is one file that needs nothing else: no script, no network. It suits narrow and wide
windows, dark mode and paper. FILE is written whole or not at all, and never over a block device; `-`
is standard output.
)",
          .examples = {{"dmremap report backup --html backup.html", "a page for a ticket"},
                       {"dmremap report backup --html - | ssh desk 'cat > backup.html'",
                        "without a file here"}},
          .exits = {{0, "the page is written, whatever it says"},
                    {1, "failed: no such set is here, or the file cannot be written"},
                    {3, "refused: two devices hold the set"}},
          .json = "name, uuid, file, bytes, running, verdict or null",
          .see_also = {"status", "map", "events"}};
}

}  // namespace

void add_report(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb("report", "A page about a set to hand to a colleague");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_option("--html", arguments->html, "where to write the page; `-`: standard output")
      .type_name("FILE")
      .required();
  verb.add_flag("--json", arguments->json, "JSON: what was written");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
