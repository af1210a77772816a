// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/changes.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "health/verdict.hpp"

namespace dmremap::monitor {

namespace {

using control::EventReport;
using control::SetReport;

constexpr std::string_view kDegraded = "degraded";

// `healthy` is the list of a set without a condition; the others are told as events of their own,
// or further down.
constexpr std::array<std::string_view, 4> kNotToldAsConditions{"healthy", "stopped", "died",
                                                               kDegraded};

constexpr int kReplaceSoon = static_cast<int>(health::Verdict::replace_soon);

// What is told of a set that was never seen before is told against a set in which all is well.
const SetReport& without_trouble() {
  static const SetReport report;
  return report;
}

bool holds(const auto& words, std::string_view word) {
  return std::ranges::find(words, word) != std::ranges::end(words);
}

// The conditions of a report that are told one by one. `stopped` and `died` are told as such. A set
// is called degraded for any other condition: then only the other one is told.
std::vector<std::string> told_conditions(const SetReport& report) {
  std::vector<std::string> out;
  for (const std::string& word : report.conditions) {
    if (!holds(kNotToldAsConditions, word)) out.push_back(word);
  }
  if (report.doubtful) out.emplace_back("doubtful");
  const bool damaged = report.copies.good < report.copies.total;
  if (report.has_condition(std::string(kDegraded)) && (damaged || out.empty())) {
    out.emplace_back(kDegraded);
  }
  return out;
}

// The condition that an event tells of, and whether it came or went; nothing for other events.
struct ConditionEvent {
  std::string_view condition;
  bool over = false;
};
std::optional<ConditionEvent> condition_event_of(const EventReport& event) {
  if (event.kind == "trip") return ConditionEvent{"tripped", false};
  if (event.kind == "rearm") return ConditionEvent{"tripped", true};
  if (event.kind == "readonly") return ConditionEvent{"read-only", false};
  const auto types = condition_types();
  const auto type = std::ranges::find(types, event.kind, &ConditionType::condition);
  if (type == types.end()) return std::nullopt;
  return ConditionEvent{type->condition, event.severity == "info"};
}

// The text of the last event that tells of this change of a condition; empty if none does.
std::string text_of_event(const SetLook& look, std::string_view condition, bool over) {
  std::string out;
  for (const EventReport& event : look.events) {
    const auto told = condition_event_of(event);
    if (told && told->condition == condition && told->over == over) out = event.text;
  }
  return out;
}

// Compares two reports of one set.
class Comparison {
 public:
  Comparison(const SetReport& before, const SetLook& look)
      : before_(before),
        now_(*look.report),
        look_(look),
        held_(told_conditions(before)),
        hold_(told_conditions(now_)) {}

  std::vector<Message> messages() {
    add_conditions();
    add_passing_conditions();
    add_growth();
    add_verdict();
    return std::move(out_);
  }

 private:
  void add(std::string_view event, const std::string& detail) {
    out_.push_back(make_message(event, look_.name, detail));
  }
  void add_condition(std::string_view condition, bool over, const std::string& detail) {
    out_.push_back(make_condition_message(condition, over, look_.name, detail));
  }

  void add_conditions() {
    for (const std::string& word : hold_) {
      if (holds(held_, word)) continue;
      const std::string text = text_of_event(look_, word, false);
      add_condition(word, false, text.empty() ? now_.reason : text);
    }
    for (const std::string& word : held_) {
      if (holds(hold_, word)) continue;
      add_condition(word, true, text_of_event(look_, word, true));
    }
  }

  void add_passing_conditions() {
    for (const ConditionType& type : condition_types()) {
      if (holds(held_, type.condition) || holds(hold_, type.condition)) continue;
      // It shows as an event of `degraded` also if another condition is the reason.
      if (type.condition == kDegraded) continue;
      const bool came = has_event(type.condition, false);
      if (!came || !has_event(type.condition, true)) continue;
      add_condition(type.condition, false, text_of_event(look_, type.condition, false));
      add_condition(type.condition, true, text_of_event(look_, type.condition, true));
    }
  }

  [[nodiscard]] bool has_event(std::string_view condition, bool over) const {
    return std::ranges::any_of(look_.events, [&](const EventReport& event) {
      const auto told = condition_event_of(event);
      return told && told->condition == condition && told->over == over;
    });
  }

  void add_growth() {
    // The first lost sectors are told as the condition.
    if (now_.lost_sectors > before_.lost_sectors && before_.lost_sectors > 0) {
      add("SectorsLost", fmt::format("{} sectors are lost or gone, {} more than before",
                                     now_.lost_sectors, now_.lost_sectors - before_.lost_sectors));
    }
    if (&before_ == &without_trouble()) return;  // a level that is no trouble is no news
    if (now_.remapped_sectors > before_.remapped_sectors) {
      add("SectorsRemapped",
          fmt::format("{} sectors are remapped, {} more than before", now_.remapped_sectors,
                      now_.remapped_sectors - before_.remapped_sectors));
    }
    const std::uint64_t retired = now_.spare_room().retired;
    const std::uint64_t retired_before = before_.spare_room().retired;
    if (retired > retired_before) {
      add("SpareSectorsRetired",
          fmt::format("{} sectors of the spare are retired, {} more than before", retired,
                      retired - retired_before));
    }
  }

  // -1: unknown, or no verdict at all.
  static int rank_of(const SetReport& report) {
    if (!report.health) return -1;
    const health::Verdict verdict = health::verdict_named(report.health->verdict);
    return verdict == health::Verdict::unknown ? -1 : static_cast<int>(verdict);
  }

  void add_verdict() {
    if (!now_.health) return;
    const bool first = !before_.health;
    const int now = rank_of(now_);
    // A verdict that was never seen before is compared with a good one, and that it is not known
    // yet is no news.
    const int before = first ? 0 : rank_of(before_);
    if (now == before || (first && now < 0)) return;
    std::string detail = now_.health->verdict;
    if (!first) detail += fmt::format(" (was {})", before_.health->verdict);
    if (!now_.health->reasons.empty()) detail += ": " + now_.health->reasons.front().text;
    if (now < 0 || before < 0) {
      add("VerdictChanged", detail);
    } else {
      add(now > before ? "VerdictWorse" : "VerdictBetter", detail);
    }
    // One that says to replace the disk is told to people however it came.
    if (now >= kReplaceSoon && before < 0) {
      out_.back() = make_message("VerdictWorse", look_.name, detail);
    }
    if (out_.back().event == "VerdictWorse" && now < kReplaceSoon)
      out_.back().level = Level::warning;
  }

  const SetReport& before_;
  const SetReport& now_;
  const SetLook& look_;
  const std::vector<std::string> held_;
  const std::vector<std::string> hold_;
  std::vector<Message> out_;
};

std::vector<Message> compare_reports(const SetLook& before, const SetLook& after) {
  if (!after.report) return {};
  return Comparison(before.report ? *before.report : without_trouble(), after).messages();
}

bool is_away(Presence presence) {
  return presence == Presence::stopped || presence == Presence::died;
}

// It was served by another process at the look before, and none saw how that ended.
bool is_another_run(const SetLook& before, const SetLook& after) {
  return before.presence == Presence::serving && before.report && after.report &&
         before.report->run != after.report->run;
}

std::vector<Message> presence_changes(const SetLook& before, const SetLook& after) {
  const std::string& name = after.name;
  switch (after.presence) {
    case Presence::died:
      return {make_message("SetDied", name, after.reason)};
    case Presence::silent:
      return {make_message("NoAnswer", name, after.reason)};
    case Presence::vanished:
      return {make_message("SetVanished", name, after.reason)};
    case Presence::stopped:
      return {make_message("SetStopped", name, "")};
    case Presence::serving: {
      if (is_away(before.presence) || before.presence == Presence::changing) {
        return {make_message("SetStarted", name, "")};
      }
      return {make_message("AnswersAgain", name, "")};
    }
    case Presence::changing:
      break;
  }
  return {};
}

}  // namespace

std::vector<Message> changes(const SetLook& before, const SetLook& after) {
  std::vector<Message> out;
  if (after.presence != before.presence) out = presence_changes(before, after);
  if (after.presence != Presence::serving) return out;
  if (is_another_run(before, after)) {
    const auto died = std::ranges::find(after.events, "died", &EventReport::kind);
    if (died != after.events.end()) out.push_back(make_message("SetDied", after.name, died->text));
    out.push_back(make_message("SetStarted", after.name, "again"));
  }
  for (Message& message : compare_reports(before, after)) out.push_back(std::move(message));
  return out;
}

std::vector<Message> what_holds(const SetLook& now) {
  SetLook nothing;
  nothing.name = now.name;
  // As if it had been seen before, in the best of states.
  nothing.presence = now.presence == Presence::stopped ? Presence::stopped : Presence::serving;
  return changes(nothing, now);
}

}  // namespace dmremap::monitor
