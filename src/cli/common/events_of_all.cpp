// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/events_of_all.hpp"

#include <chrono>
#include <cstdio>
#include <map>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/time_text.hpp"
#include "cli/common/host_view.hpp"
#include "cli/common/output.hpp"
#include "monitor/sets_watch.hpp"
#include "os/event_loop.hpp"
#include "os/json_line.hpp"

namespace dmremap::cli {

namespace {

using monitor::Presence;
using nlohmann::json;

constexpr std::chrono::milliseconds kFindEvery{1000};

class EventPrinter final : public monitor::SetsObserver {
 public:
  EventPrinter(std::uint64_t since_ns, bool as_json) : since_ns_(since_ns), as_json_(as_json) {}

  void on_events(const std::string& name, const monitor::EventBatch& batch) override {
    for (const control::EventReport& event : batch.events) {
      const auto time = parse_utc_time(event.time);
      if (time && *time < since_ns_) continue;
      if (as_json_) {
        json object = event;
        object["name"] = name;
        fmt::print("{}\n", os::to_line(object));
      } else {
        fmt::print("{}: {}\n", name, event_line(event));
      }
    }
    std::fflush(stdout);
  }

  void on_look(const monitor::SetLook& look) override {
    if (look.presence == Presence::changing) return;
    // A set that was not seen before is as expected if it answers.
    const auto [at, is_new] = presence_.try_emplace(look.name, Presence::serving);
    if (at->second == look.presence) return;
    at->second = look.presence;
    switch (look.presence) {
      case Presence::serving:
        return say(look, "answers");
      case Presence::stopped:
        return say(look, "was stopped");
      case Presence::died:
      case Presence::silent:
      case Presence::vanished:
        return say(look, look.reason);
      case Presence::changing:
        break;
    }
  }

 private:
  void say(const monitor::SetLook& look, const std::string& what) const {
    if (look.presence == Presence::serving || look.presence == Presence::stopped) {
      if (!as_json_) fmt::print(stderr, "dmremap: {}: {}\n", look.name, what);
      return;
    }
    report(Error{ErrorCode::not_running, what, look.name, "events follow once it answers again"},
           as_json_);
  }

  const std::uint64_t since_ns_;
  const bool as_json_;
  std::map<std::string, Presence> presence_;
};

}  // namespace

std::string event_line(const control::EventReport& event) {
  std::string where;
  if (event.sector) where = fmt::format(" {}+{}", event.sector->value, event.count.value);
  const std::string text = printable(event.text);
  return fmt::format("{} {:<7} {}{}{}{}", local_time_text(event.time), event.severity, event.kind,
                     where, text.empty() ? "" : " ", text);
}

int follow_all_events(const control::RuntimeDir& runtime, std::uint64_t since_ns, bool as_json) {
  auto loop = os::EventLoop::make();
  if (!loop) return report(loop.error(), as_json);
  EventPrinter printer(since_ns, as_json);
  monitor::SetsWatch sets(
      runtime, [runtime](const std::string& name) { return death_of(runtime, name); }, printer);
  sets.find_sets();
  auto ready = loop->every(kFindEvery, [&] {
    sets.find_sets();
    if (std::ferror(stdout) != 0) loop->end();
  });
  auto ended = ready ? loop->run() : ready;
  return ended ? kFailed : report(ended.error(), as_json);
}

}  // namespace dmremap::cli
