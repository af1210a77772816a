// SPDX-License-Identifier: GPL-2.0-or-later
// The verdict against a table of cases (verdict_cases.txt) and against single rules.
#include "health/verdict.hpp"

#include <fstream>
#include <map>
#include <ostream>
#include <set>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/parse.hpp"

namespace dmremap::health {
namespace {

using nlohmann::json;

constexpr std::uint32_t kWallDay = 20'786;

struct Step {
  std::uint32_t day = 0;
  bool is_smart = false;
  std::map<std::string, std::uint64_t> values;
};

struct Case {
  std::string name;
  std::string medium;
  std::vector<Step> steps;
  std::uint32_t today = 0;
  std::string verdict;
};

// GoogleTest finds it by this name.
// NOLINTNEXTLINE(readability-identifier-naming)
void PrintTo(const Case& one, std::ostream* out) {
  *out << one.name;
}

std::uint64_t number(const std::string& text) {
  const auto value = parse_number(text);
  EXPECT_TRUE(value.has_value()) << text;
  return value.value_or(0);
}

std::vector<Case> read_cases() {
  std::ifstream file(DMREMAP_VERDICT_CASES);
  std::vector<Case> out;
  std::string line;
  while (std::getline(file, line)) {
    std::istringstream words(line);
    std::string kind;
    if (!(words >> kind) || kind.starts_with('#')) continue;
    std::string word;
    words >> word;
    if (kind == "case") {
      out.emplace_back().name = word;
    } else if (kind == "medium") {
      out.back().medium = word;
    } else if (kind == "today") {
      out.back().today = static_cast<std::uint32_t>(number(word));
    } else if (kind == "=>") {
      out.back().verdict = word;
    } else {
      EXPECT_TRUE(kind == "smart" || kind == "seen") << line;
      Step step{static_cast<std::uint32_t>(number(word)), kind == "smart", {}};
      while (words >> word) {
        const std::size_t equals = word.find('=');
        step.values[word.substr(0, equals)] = number(word.substr(equals + 1));
      }
      out.back().steps.push_back(step);
    }
  }
  return out;
}

// What smartctl would print.
SmartReading answer(const Step& step) {
  json out{{"smartctl", {{"version", {7, 3}}}}, {"smart_status", {{"passed", true}}}};
  json& table = out["ata_smart_attributes"]["table"];
  json& nvme = out["nvme_smart_health_information_log"];
  for (const auto& [name, value] : step.values) {
    if (name == "failing") {
      out["smart_status"]["passed"] = value == 0;
    } else if (name == "warning") {
      nvme["critical_warning"] = value;
      out["smart_status"]["passed"] = value == 0;
    } else if (name == "media") {
      nvme["media_errors"] = value;
    } else if (name == "used") {
      nvme["percentage_used"] = value;
    } else if (name == "spare") {
      nvme["available_spare"] = value;
      nvme["available_spare_threshold"] = 10;
    } else {
      table.push_back({{"id", number(name)}, {"raw", {{"value", value}}}});
    }
  }
  return read_smart(out.dump(), 0);
}

Medium medium_of(const std::string& word) {
  if (word == "disk") return Medium::disk;
  if (word == "solid-state") return Medium::solid_state;
  if (word == "card") return Medium::card;
  return word == "image" ? Medium::image : Medium::unknown;
}

void count_seen(History& history, const std::map<std::string, std::uint64_t>& values) {
  static const std::map<std::string, Count> names_of_counts{
      {"lost", Count::lost}, {"remapped", Count::remapped},         {"recovered", Count::recovered},
      {"slow", Count::slow}, {"flush_errors", Count::flush_errors}, {"trips", Count::trips}};
  for (const auto& [name, value] : values) history.count(names_of_counts.at(name), value);
}

struct Scene {
  History history;
  DiskState state;

  void advance_to(std::uint32_t day) {
    history.advance(std::uint64_t{day - history.today()} * kDaySeconds, kWallDay + day);
  }
  [[nodiscard]] HealthVerdict verdict() const { return assess(history, state); }
  // "" if there is no such reason.
  [[nodiscard]] std::string text_of(ReasonCode code) const {
    for (const Reason& reason : verdict().reasons) {
      if (reason.code == code) return text(reason);
    }
    return "";
  }
};

Scene scene_of(const Case& one) {
  Scene out;
  out.state.medium = medium_of(one.medium);
  out.state.sectors_per_block = 8;
  out.state.smart_unknown_because = "not asked";
  for (const Step& step : one.steps) {
    out.advance_to(step.day);
    if (step.is_smart) {
      out.state.smart = answer(step);
      note_smart(out.history, *out.state.smart);
    } else {
      count_seen(out.history, step.values);
    }
  }
  out.advance_to(one.today);
  return out;
}

class VerdictCases : public ::testing::TestWithParam<Case> {};

TEST_P(VerdictCases, IsAsItMustBe) {
  const Case& one = GetParam();
  const HealthVerdict it = scene_of(one).verdict();
  std::string reasons = text(it.risk);
  for (const Reason& reason : it.reasons) {
    reasons += "\n" + std::to_string(reason.weight) + " " + text(reason);
    EXPECT_FALSE(text(reason).empty());
  }
  EXPECT_EQ(name_of(it.verdict), one.verdict) << reasons;
  EXPECT_FALSE(it.reasons.empty());
  EXPECT_LE(it.score, 100U);
}

INSTANTIATE_TEST_SUITE_P(Table, VerdictCases, ::testing::ValuesIn(read_cases()),
                         [](const auto& one) { return one.param.name; });

TEST(Verdict, TheTableHasTheFalseAlarmsOfPublicReports) {
  EXPECT_GE(read_cases().size(), 25U);
}

TEST(Verdict, EachReasonHasAWordAndAText) {
  std::set<std::string_view> words;
  for (unsigned i = 0; i <= static_cast<unsigned>(ReasonCode::own_reads_outrank); ++i) {
    const Reason reason{static_cast<ReasonCode>(i), 1, {41, 42, 43}, "why"};
    EXPECT_TRUE(words.insert(name_of(reason.code)).second) << name_of(reason.code);
    EXPECT_EQ(text(reason).find('{'), std::string::npos) << text(reason);
    EXPECT_FALSE(text(reason).ends_with('.')) << text(reason);
  }
}

TEST(Verdict, ReasonsHaveTheirNumbersAndTheHeaviestIsFirst) {
  Scene scene;
  scene.state.sectors_per_block = 8;
  scene.advance_to(40);
  scene.history.count(Count::trips, 1);
  scene.history.count(Count::lost, 24);
  const HealthVerdict it = scene.verdict();
  ASSERT_GE(it.reasons.size(), 2U);
  EXPECT_EQ(text(it.reasons[0]), "blocks lost or remapped: 3, on 1 of the last 30 days");
  EXPECT_EQ(text(it.reasons[1]),
            "dropouts of the device: 1 in 30 days; look at cable, port and power first");
  EXPECT_EQ(it.score, 80U);
}

TEST(Verdict, OwnObservationsOutrankSmart) {
  Scene scene;
  scene.state.medium = Medium::disk;
  scene.state.smart.emplace().state = SmartState::read;
  scene.state.smart->pending = 0;
  note_smart(scene.history, *scene.state.smart);
  scene.advance_to(60);
  scene.state.smart->pending = 24;
  scene.state.smart->reallocated = 4;
  scene.history.note(Level::reallocated, 4);
  scene.advance_to(61);
  scene.state.smart->reallocated = 90;
  note_smart(scene.history, *scene.state.smart);
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_soon);
  scene.state.clean_pass_days_ago = 3;
  EXPECT_EQ(scene.verdict().verdict, Verdict::watch);
  EXPECT_EQ(scene.text_of(ReasonCode::own_reads_outrank),
            "all of it was read without trouble 3 days ago, which counts more than SMART");
  // Trouble of our own weighs in full, whatever SMART says.
  scene.state.smart->pending = 0;
  scene.history.count(Count::lost, 5000);
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_now);
}

TEST(Verdict, WhatIsNotBelievedDoesNotCount) {
  Scene scene;
  scene.state.medium = Medium::disk;
  scene.state.smart_unknown_because = "the answer is of another disk: capacity 1, not 2 bytes";
  const HealthVerdict it = scene.verdict();
  EXPECT_EQ(it.verdict, Verdict::unknown);
  EXPECT_EQ(it.score, 0U);
  EXPECT_FALSE(it.risk.known);
  EXPECT_EQ(scene.text_of(ReasonCode::smart_unknown),
            "SMART unknown: the answer is of another disk: capacity 1, not 2 bytes");
}

TEST(Verdict, AnOldAnswerDoesNotCount) {
  Scene scene;
  scene.state.smart.emplace().state = SmartState::read;
  scene.state.smart->passed = false;
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_soon);
  scene.state.smart_age_days = 31;
  EXPECT_EQ(scene.verdict().verdict, Verdict::unknown);
}

TEST(Verdict, LatencyIsHeldAgainstTheDisksOwnPast) {
  Scene scene;
  scene.history.note(Level::latency_median, latency_code(8000));
  scene.advance_to(100);
  EXPECT_EQ(scene.verdict().verdict, Verdict::good) << "a slow disk that was always so";
  scene.history.note(Level::latency_median, latency_code(40'000));
  scene.advance_to(120);
  EXPECT_EQ(scene.verdict().verdict, Verdict::watch);
  EXPECT_EQ(scene.text_of(ReasonCode::latency_drift),
            "reads take 4.8 times as long as they used to, for 14 days");
}

TEST(Verdict, ASpareThatFillsSoonIsAReason) {
  Scene scene;
  scene.advance_to(20);
  scene.history.count(Count::remapped, 1);
  Forecast it;
  it.growth_seen = true;
  it.low_days = 4.2;
  it.median_days = 20;
  it.high_days = 90;
  scene.state.spare_forecast = it;
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_now);
  EXPECT_EQ(scene.text_of(ReasonCode::spare_filling),
            "spare full in 4 to 90 days at this growth (90 %), most likely 20");
  it.median_days = 100;
  scene.state.spare_forecast = it;
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_soon);
  scene.state.spare_forecast.reset();
  EXPECT_EQ(scene.verdict().verdict, Verdict::watch);
}

TEST(Verdict, AFullSpareOfAStableDiskIsLessUrgent) {
  Scene scene;
  scene.history.count(Count::remapped, 8);
  scene.advance_to(100);
  scene.state.spare_full = true;
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_soon);
  scene.history.count(Count::remapped, 8);
  EXPECT_EQ(scene.verdict().verdict, Verdict::replace_now);
}

}  // namespace
}  // namespace dmremap::health
