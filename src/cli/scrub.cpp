// SPDX-License-Identifier: GPL-2.0-or-later
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "base/size_text.hpp"
#include "base/time_text.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/progress_line.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "health/felt.hpp"
#include "health/pace_window.hpp"

namespace dmremap::cli {

namespace {

using control::ScrubReport;

constexpr std::chrono::milliseconds kProgressEvery{500};

struct Arguments {
  std::string name;
  std::string action;
  bool now = false;
  std::string rate;
  std::string window;
  bool json = false;
};

int report_for(Error error, const Arguments& arguments) {
  if (error.where.empty()) error.where = arguments.name;
  return report(error, arguments.json);
}

Result<control::ScrubRequest> request_of(const Arguments& arguments) {
  control::ScrubRequest out;
  out.action = arguments.action;
  const bool has_options = arguments.now || !arguments.rate.empty() || !arguments.window.empty();
  if (arguments.action != "start" && has_options) {
    return fail(ErrorCode::usage, "--now, --rate and --window go with start only", arguments.name,
                "leave them out, or see `dmremap scrub --help`");
  }
  out.now = arguments.now;
  if (!arguments.rate.empty()) {
    const auto rate = health::parse_pace_rate(arguments.rate);
    if (!rate) return failure_of(rate);
    out.rate = *rate;
  }
  if (!arguments.window.empty()) {
    const auto window = health::parse_pace_window(arguments.window);
    if (!window) return failure_of(window);
    out.window = health::to_text(*window);
  }
  return out;
}

std::uint64_t percent_of(SectorCount part, std::uint64_t whole) {
  return whole == 0 ? 100 : 100 * part.value / whole;
}

health::FeltReport felt_of(const ScrubReport& scrub) {
  health::FeltReport out;
  out.pairs = scrub.felt_pairs;
  out.slowdown = scrub.slowdown;
  if (!scrub.felt) return out;
  out.enough = true;
  out.mean_percent = scrub.felt->mean;
  out.low_percent = scrub.felt->low;
  out.high_percent = scrub.felt->high;
  out.p99_percent = scrub.felt->p99;
  return out;
}

void print_text(const std::string& name, const ScrubReport& scrub, std::uint64_t size_sectors) {
  fmt::print("{}: {}{}\n", name, scrub.state,
             scrub.waits_for.empty() ? "" : " for " + scrub.waits_for);
  fmt::print("  read       {} of {} ({} %), last at sector {}\n",
             size_text({scrub.scanned_sectors.value}), size_text({size_sectors}),
             percent_of(scrub.scanned_sectors, size_sectors), scrub.position_sectors.value);
  fmt::print("  passes     {}, the last one complete {}\n", scrub.passes,
             local_time_text(scrub.last_complete.value_or("never")));
  fmt::print("  found      {} lost, {} recovered, {} slow sectors; {} metadata slots mended\n",
             scrub.found.lost, scrub.found.recovered, scrub.found.slow, scrub.found.mended_slots);
  fmt::print("  {}\n", health::to_text(felt_of(scrub)));
}

// Shows the pass at full speed until it is over. Ctrl-C ends the showing, and the scan goes on.
Result<control::SetReport> follow(const control::RuntimeDir& runtime, const std::string& name) {
  std::optional<ProgressLine> line;
  std::uint64_t passes = 0;
  for (;;) {
    auto status = running_status(runtime, name);
    if (!status) return status;
    if (!status->scrub) return fail(ErrorCode::read_only, "is read-only, and not scanned", name);
    const ScrubReport& scrub = *status->scrub;
    if (!line) {
      line.emplace(scrub.scanned_sectors.value);
      passes = scrub.passes;
    }
    if (scrub.passes != passes || scrub.state == "idle" || scrub.state == "paused") {
      line->end();
      return status;
    }
    line->show(scrub.scanned_sectors.value, status->size_sectors);
    std::this_thread::sleep_for(kProgressEvery);
  }
}

Result<control::SetReport> scrub(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  // Before the set is asked: what cannot be meant is wrong whatever runs.
  const auto request = request_of(arguments);
  if (!request) return failure_of(request);
  if (arguments.action != "status") {
    auto client = connect(*runtime, arguments.name);
    if (!client) return failure_of(client);
    const auto answer = client->call(*request, kAnswerTime);
    if (!answer) return failure_of(answer);
    const bool on_terminal = ::isatty(STDERR_FILENO) == 1 && !arguments.json;
    if (arguments.now && on_terminal) return follow(*runtime, arguments.name);
  }
  auto status = running_status(*runtime, arguments.name);
  if (status && !status->scrub) {
    return fail(ErrorCode::read_only, "is read-only, and not scanned", arguments.name);
  }
  return status;
}

int run(const Arguments& arguments) {
  const auto status = scrub(arguments);
  if (!status) return report_for(status.error(), arguments);
  if (arguments.json) {
    print_json({{"name", arguments.name}, {"scrub", *status->scrub}});
  } else {
    print_text(arguments.name, *status->scrub, status->size_sectors);
  }
  const bool attention = arguments.action == "status" && status->needs_attention;
  return attention ? kAttention : kDone;
}

manual::Prose prose() {
  return {.description = R"(
A running set reads main through in the background, so that a sector that begins to fail is found
while it can still be read. It reads only while nobody else uses the disk, all of it within two
weeks, and begins ten minutes after the set was started. What is found goes the way of a read that
fails: it moves to the spare, or is lost. What lies on the spare is read too, and so are all copies
of the metadata; those that are damaged are written anew. Nothing has to be done for that; this verb is to see it
and to change it.

`start` begins at once, or ends a pause; with `--now` at full speed, as fast as the disk reads,
until the pass is over. On a terminal that shows the progress; Ctrl-C ends the showing, and the scan
goes on. What was started goes on after a restart, too, without the ten minutes. A pause holds over
restarts until `resume` or `start`. `stop` ends the scanning until
`start`, or until the set is started again. `status` tells how far it is and what it found since the
set was started.

The line of `felt` says what the scan costs whoever uses the disk, by how much longer their requests
take: windows of ten seconds with and without it alternate at random. If it is more than 1 %, the
pace is lowered. At full speed nothing is measured.

A scan that waits says for what: foreground (others use the disk, or did a moment ago), credit (as
many requests have met the scan as may), window, copy, battery (the machine runs on one; `--now`
reads all the same), main (it does not answer) or metadata (the set is read-only).
)",
          .examples = {{"dmremap scrub backup status", "how far it is, and what it found"},
                       {"dmremap scrub backup start --now", "read all of it, as fast as it goes"},
                       {"dmremap scrub backup start --rate 20MiB --window 01:00-06:00",
                        "at night, and slowly"}},
          .exits = {{0, "done"},
                    {1, "failed: no such set runs, or it is read-only"},
                    {4, "status: something needs attention, as in `dmremap status`"}},
          .json = "name, and scrub as in `dmremap status --json`",
          .see_also = {"status", "events", "map"}};
}

}  // namespace

void add_scrub(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("scrub", "The scan of main in the background: see it, start it, pause it");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set").required();
  verb.add_option("ACTION", arguments->action, "start, pause, resume, stop or status")
      .required()
      .one_of({"start", "pause", "resume", "stop", "status"});
  verb.add_flag("--now", arguments->now, "with start: at full speed, until the pass is over");
  verb.add_option("--rate", arguments->rate, "with start: read no more than this a second; K, M, G")
      .type_name("RATE");
  verb.add_option("--window", arguments->window,
                  "with start: only at this time of the day, in local time")
      .type_name("HH:MM-HH:MM");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
