// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "cli/common/events_of_all.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

// A follower has no deadline; this is only how often it looks whether to go on waiting.
constexpr std::chrono::hours kFollowTime{1};

struct Arguments {
  std::string name;
  bool follow = false;
  bool json = false;
};

using Events = std::vector<control::EventReport>;

// With --follow each event is a JSON object on its own line, because an array would never end.
void print_batch(const Events& events, const Arguments& arguments) {
  for (const control::EventReport& event : events) {
    if (arguments.json) {
      fmt::print("{}\n", os::to_line(event));
    } else {
      fmt::print("{}\n", event_line(event));
    }
  }
  std::fflush(stdout);
}

void print_whole(const Events& events, const Arguments& arguments) {
  if (arguments.json) {
    print_json({{"name", arguments.name}, {"events", events}});
  } else {
    print_batch(events, arguments);
  }
}

int follow(control::Client& client, Events events, const Arguments& arguments) {
  while (true) {
    print_batch(events, arguments);
    if (std::ferror(stdout) != 0) return kFailed;
    auto next = client.next<control::EventsReply>(kFollowTime);
    while (!next && next.error().code == ErrorCode::timeout) {
      next = client.next<control::EventsReply>(kFollowTime);
    }
    // The set was stopped: there will be no more.
    if (!next && next.error().code == ErrorCode::not_running) return kDone;
    if (!next) return report(next.error(), arguments.json);
    events = std::move(next->events);
  }
}

int run_stopped(const control::RuntimeDir& runtime, const Arguments& arguments) {
  const auto spare = stopped_set(runtime, arguments.name);
  if (!spare) return report(spare.error(), arguments.json);
  print_whole(control::reports_of(spare->survey.content->health.events), arguments);
  return kDone;
}

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  if (arguments.name.empty()) {
    if (arguments.follow) return follow_all_events(*runtime, arguments.json);
    return report(Error{ErrorCode::usage, "the name of a set is missing", "events",
                        "name one, or follow all sets with --follow"},
                  arguments.json);
  }
  if (!arguments.follow && !is_running(*runtime, arguments.name)) {
    return run_stopped(*runtime, arguments);
  }
  auto client = connect(*runtime, arguments.name);
  if (!client) return report(client.error(), arguments.json);
  auto answer = client->call(control::EventsRequest{0, arguments.follow}, kAnswerTime);
  if (!answer) return report(answer.error(), arguments.json);
  if (arguments.follow) return follow(*client, std::move(answer->events), arguments);
  print_whole(answer->events, arguments);
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
Remaps, losses, recoveries, trips, starts and stops with their time, oldest first. The last ones are
kept in the metadata, so that they outlive the process and are told of a stopped set, too.

With --follow and without NAME, the events of all sets that run, and of those that are started later;
each line begins with the name of the set. It goes on until it is interrupted: a set that is stopped,
dies or does not answer is named on stderr, and followed again once it is back.
)",
          .examples = {{"dmremap events backup", "what happened"},
                       {"dmremap events backup --follow --json",
                        "one JSON object a line, as it happens"},
                       {"dmremap events --follow", "of all sets"}},
          .exits = {{0, "done; with NAME and --follow: the set was stopped"},
                    {1, "failed: no such set"},
                    {3, "refused: several devices hold a set of that name"}},
          .json =
              "name, events[]{seq, time, severity, kind, sector, count, text}; with --follow each "
              "event is a line of its own, without NAME with the name of its set",
          .see_also = {"status", "monitor"}};
}

}  // namespace

void add_events(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("events", "What happened to a set, oldest first; to all, as it happens");
  const auto arguments = std::make_shared<Arguments>();
  add_set_name(verb, arguments->name, "the set; with --follow, all if it is left out");
  verb.add_flag("-f,--follow", arguments->follow, "go on showing events as they happen");
  verb.add_flag("--json", arguments->json, "JSON; with --follow one object a line");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
