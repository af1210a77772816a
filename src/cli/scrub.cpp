// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstdio>
#include <memory>
#include <thread>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
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
    return fail(ErrorCode::usage, "--now, --rate and --window go with start only");
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

std::string time_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(seconds);
  if (whole >= 3600) return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
  return fmt::format("{} min {:02} s", whole / 60, whole % 60);
}

std::uint64_t percent_of(SectorCount part, std::uint64_t whole) {
  return whole == 0 ? 100 : 100 * part.value / whole;
}

void print_text(const std::string& name, const ScrubReport& scrub, std::uint64_t size_sectors) {
  fmt::print("{}: {}{}\n", name, scrub.state,
             scrub.waits_for.empty() ? "" : " for " + scrub.waits_for);
  fmt::print("  read       {} of {} ({} %), last at sector {}\n",
             human_size(scrub.scanned_sectors.value), human_size(size_sectors),
             percent_of(scrub.scanned_sectors, size_sectors), scrub.position_sectors.value);
  fmt::print("  passes     {}, the last one complete {}\n", scrub.passes,
             scrub.last_complete.value_or("never"));
  fmt::print("  found      {} lost, {} recovered, {} slow sectors\n", scrub.found.lost,
             scrub.found.recovered, scrub.found.slow);
}

// Shows the pass at full speed until it is over. Ctrl-C ends the showing, and the scan goes on.
Result<control::SetReport> follow(const control::RuntimeDir& runtime, const std::string& name) {
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t before = 0;
  std::uint64_t passes = 0;
  for (bool first = true;; first = false) {
    auto status = running_status(runtime, name);
    if (!status) return status;
    if (!status->scrub) return fail(ErrorCode::read_only, "is read-only, and not scanned", name);
    const ScrubReport& scrub = *status->scrub;
    const std::uint64_t done = scrub.scanned_sectors.value;
    if (first) {
      before = done;
      passes = scrub.passes;
    }
    const bool over = scrub.passes != passes || scrub.state == "idle" || scrub.state == "paused";
    if (over) {
      fmt::print(stderr, "\r\x1b[K");
      return status;
    }
    const std::uint64_t size = std::max<std::uint64_t>(1, status->size_sectors);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
    const double rate =
        static_cast<double>(done - std::min(done, before)) / std::max(0.001, took.count());
    const std::string left =
        rate < 1 ? "?" : time_text(static_cast<double>(size - std::min(done, size)) / rate);
    fmt::print(stderr, "\r[{:20}] {:3} %  {} of {}  {}/s  {} left \x1b[K",
               std::string(20 * std::min(done, size) / size, '#'),
               percent_of(scrub.scanned_sectors, size), human_size(done), human_size(size),
               human_size(static_cast<std::uint64_t>(rate)), left);
    std::fflush(stderr);
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
fails: it moves to the spare, or is lost. Nothing has to be done for that; this verb is to see it
and to change it.

`start` begins at once, or ends a pause; with `--now` at full speed, as fast as the disk reads,
until the pass is over. On a terminal that shows the progress; Ctrl-C ends the showing, and the scan
goes on. A pause holds over restarts until `resume` or `start`. `stop` ends the scanning until
`start`, or until the set is started again. `status` tells how far it is and what it found since the
set was started.

A scan that waits says for what: foreground (others use the disk, or did a moment ago), credit (as
many requests have met the scan as may), window, copy, main (it does not answer) or metadata (the
set is read-only).
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
  verb.add_option("--rate", arguments->rate,
                  "with start: read no more than this a second; KiB, MiB, GiB")
      .type_name("RATE");
  verb.add_option("--window", arguments->window,
                  "with start: only at this time of the day, in local time")
      .type_name("HH:MM-HH:MM");
  verb.add_flag("--json", arguments->json, "JSON instead of text");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
