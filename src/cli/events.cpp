// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/clock.hpp"
#include "base/time_text.hpp"
#include "cli/common/events_of_all.hpp"
#include "cli/common/known_sets.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_names.hpp"
#include "cli/common/verb.hpp"
#include "control/messages.hpp"
#include "discovery/device_look.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

// A follower has no deadline; this is only how often it looks whether to go on waiting.
constexpr std::chrono::hours kFollowTime{1};

struct Arguments {
  std::vector<std::string> names;
  bool follow = false;
  std::string since;
  bool json = false;
};

using Events = std::vector<control::EventReport>;

// The events of one set since the time that was asked for.
struct SetEvents {
  std::string name;
  Events events;
};

// Events without a time that can be read are never left out.
void drop_before(Events& events, std::uint64_t since_ns) {
  std::erase_if(events, [&](const control::EventReport& event) {
    const auto time = parse_utc_time(event.time);
    return time && *time < since_ns;
  });
}

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

void print_one(const SetEvents& set, const Arguments& arguments) {
  if (arguments.json) {
    print_json({{"name", set.name}, {"events", set.events}});
  } else {
    print_batch(set.events, arguments);
  }
}

// The events of several sets in the order of their time, each with the name of its set.
void print_several(const std::vector<SetEvents>& sets, const Arguments& arguments) {
  std::vector<std::pair<std::string, control::EventReport>> all;
  for (const SetEvents& set : sets) {
    for (const control::EventReport& event : set.events) all.emplace_back(set.name, event);
  }
  // Times are UTC, whose texts sort as they do.
  std::ranges::stable_sort(all, {}, [](const auto& one) { return one.second.time; });
  nlohmann::json events = nlohmann::json::array();
  for (const auto& [name, event] : all) {
    if (arguments.json) {
      nlohmann::json object = event;
      object["name"] = name;
      events.push_back(std::move(object));
    } else {
      fmt::print("{}: {}\n", name, event_line(event));
    }
  }
  if (arguments.json) print_json({{"events", std::move(events)}});
}

int follow(control::Client& client, Events events, std::uint64_t since_ns,
           const Arguments& arguments) {
  drop_before(events, since_ns);
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

int run_follow(const control::RuntimeDir& runtime, std::uint64_t since_ns,
               const Arguments& arguments) {
  if (arguments.names.empty()) return follow_all_events(runtime, since_ns, arguments.json);
  if (arguments.names.size() > 1) {
    return report(
        Error{ErrorCode::usage, "one set is followed, or all are", "--follow", "name one, or none"},
        arguments.json);
  }
  auto client = connect(runtime, arguments.names.front());
  if (!client) return report(client.error(), arguments.json);
  auto answer = client->call(control::EventsRequest{0, true}, kAnswerTime);
  if (!answer) return report(answer.error(), arguments.json);
  return follow(*client, std::move(answer->events), since_ns, arguments);
}

// `known`: the set is one of all that this host knows, and not one that was named.
Result<Events> events_of(const control::RuntimeDir& runtime, const std::string& name, bool known,
                         discovery::DeviceLook& look) {
  if (is_running(runtime, name)) {
    auto client = connect(runtime, name);
    if (!client) return failure_of(client);
    auto answer = client->call(control::EventsRequest{}, kAnswerTime);
    if (!answer) return failure_of(answer);
    return std::move(answer->events);
  }
  const auto spare = known ? spare_of_known(runtime, name, look) : stopped_set(runtime, name, look);
  if (!spare) return failure_of(spare);
  if (!spare->survey.content) return Events{};
  return control::reports_of(spare->survey.content->health.events);
}

// A set whose events cannot be had does not hide those of the others.
int run_of_sets(const control::RuntimeDir& runtime, std::uint64_t since_ns,
                const Arguments& arguments) {
  const bool all = arguments.names.empty();
  std::vector<std::string> names = arguments.names;
  if (all) {
    for (const NamedSet& set : named_sets(runtime)) names.push_back(set.name);
  }
  std::vector<SetEvents> sets;
  int exit = kDone;
  discovery::DeviceLook look;
  for (const std::string& name : names) {
    auto events = events_of(runtime, name, all, look);
    if (events) {
      drop_before(*events, since_ns);
      sets.push_back({name, std::move(*events)});
    } else if (all) {
      // A spare that is not here is no failure of a verb that was asked for what there is.
      warn(events.error().message());
    } else {
      exit = std::max(exit, report(events.error(), arguments.json));
    }
  }
  if (!all && names.size() == 1) {
    if (!sets.empty()) print_one(sets.front(), arguments);
  } else {
    print_several(sets, arguments);
  }
  return exit;
}

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), arguments.json);
  std::uint64_t since_ns = 0;
  if (!arguments.since.empty()) {
    const auto since = parse_since(arguments.since, system_clock().wall_ns());
    if (!since) return report(since.error(), arguments.json);
    since_ns = *since;
  }
  return arguments.follow ? run_follow(*runtime, since_ns, arguments)
                          : run_of_sets(*runtime, since_ns, arguments);
}

manual::Prose prose() {
  return {
      .description = R"(
Remaps, losses, recoveries, trips, starts and stops with their time, oldest first. The last ones are
kept in the metadata, so that they outlive the process and are told of a stopped set, too.

Of several sets, and without NAME of all that this host knows, each line begins with the name of its set.
Times are local, and UTC with --json.

With --follow and without NAME, the events of all sets that run, and of those that are started later;
each line begins with the name of the set. It goes on until it is interrupted: a set that is stopped,
dies or does not answer is named on stderr, and followed again once it is back.
)",
      .examples = {{"dmremap events backup", "what happened"},
                   {"dmremap events --since yesterday", "to all sets, since midnight before last"},
                   {"dmremap events backup --follow --json",
                    "one JSON object a line, as it happens"},
                   {"dmremap events --follow", "of all sets"}},
      .exits = {{0, "done; with NAME and --follow: the set was stopped"},
                {1, "failed: no such set"},
                {3, "refused: several devices hold a set of that name"}},
      .json =
          "name, events[]{seq, time, severity, kind, sector, count, text}; with --follow each "
          "event is a line of its own; of several and of all sets each event has the name of its "
          "set",
      .see_also = {"status", "monitor"}};
}

}  // namespace

void add_events(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("events", "What happened, oldest first; with --follow as it happens");
  const auto arguments = std::make_shared<Arguments>();
  add_set_names(verb, arguments->names, "the sets; all if it is left out");
  verb.add_option("--since", arguments->since,
                  "only later ones: a date and time, today, yesterday, or how long ago: 2h, 7d")
      .type_name("TIME");
  verb.add_flag("-f,--follow", arguments->follow, "go on showing events as they happen");
  verb.add_flag("--json", arguments->json, "JSON; with --follow one object a line");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
