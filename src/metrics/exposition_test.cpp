// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/exposition.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::metrics {
namespace {

using monitor::Presence;

MeasuredSet serving(const std::string& name) {
  MeasuredSet out;
  out.look.name = name;
  out.look.presence = Presence::serving;
  control::SetReport& report = out.look.report.emplace();
  report.name = name;
  report.state = "healthy";
  report.conditions = {"healthy"};
  report.size_sectors = 2000;
  report.spares = {{"/spare", {}, "healthy", 1000, 900, 20}};
  report.copies = {8, 8};
  return out;
}

bool has_line(const std::string& text, const std::string& line) {
  return ("\n" + text).find("\n" + line + "\n") != std::string::npos;
}

std::string of(const MeasuredSet& set) {
  return exposition({&set, 1}, "1.2.3");
}

TEST(Exposition, OfNoSetIsTheVersion) {
  EXPECT_EQ(exposition({}, "1.2.3"),
            "# HELP dmremap_info The version of dm-remap.\n# TYPE dmremap_info gauge\n"
            "dmremap_info{version=\"1.2.3\"} 1\n");
}

TEST(Exposition, SamplesOfOneFamilyStandTogether) {
  const std::vector<MeasuredSet> sets{serving("a"), serving("b")};
  const std::string text = exposition(sets, "1");
  EXPECT_NE(text.find("# TYPE dmremap_set_up gauge\ndmremap_set_up{set=\"a\"} 1\n"
                      "dmremap_set_up{set=\"b\"} 1\n#"),
            std::string::npos)
      << text;
  EXPECT_EQ(text.find("# TYPE dmremap_set_up"), text.rfind("# TYPE dmremap_set_up"));
}

TEST(Exposition, OneStateIsOneAndTheOthersAreZero) {
  MeasuredSet set = serving("a");
  set.look.report->state = "degraded";
  set.look.report->conditions = {"degraded", "data-lost"};
  set.look.report->doubtful = true;
  set.look.report->needs_attention = true;
  const std::string text = of(set);
  EXPECT_TRUE(has_line(text, R"(dmremap_set_state{set="a",state="degraded"} 1)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_set_state{set="a",state="healthy"} 0)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_condition{set="a",condition="data-lost"} 1)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_condition{set="a",condition="spare-away"} 0)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_condition{set="a",condition="doubtful"} 1)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_set_attention{set="a"} 1)"));
}

TEST(Exposition, SectorsAreCountedOnceAndBytesAreBytes) {
  MeasuredSet set = serving("a");
  set.look.report->lost_sectors = 5;
  set.look.report->gone_sectors = 2;
  const std::string text = of(set);
  EXPECT_TRUE(has_line(text, R"(dmremap_sectors{set="a",state="lost"} 3)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_sectors{set="a",state="gone"} 2)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_size_bytes{set="a"} 1024000)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_spare_bytes{set="a",state="used"} 40960)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_spare_bytes{set="a",state="retired"} 10240)"));
}

TEST(Exposition, ASetThatDoesNotAnswerOrDiedIsThere) {
  MeasuredSet silent;
  silent.look.name = "a";
  silent.look.presence = Presence::silent;
  std::string text = of(silent);
  EXPECT_TRUE(has_line(text, R"(dmremap_set_up{set="a"} 0)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_set_state{set="a",state="unknown"} 1)"));
  EXPECT_EQ(text.find("dmremap_sectors"), std::string::npos) << "what is not known is left out";
  silent.look.presence = Presence::died;
  text = of(silent);
  EXPECT_TRUE(has_line(text, R"(dmremap_set_state{set="a",state="stopped"} 1)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_condition{set="a",condition="died"} 1)"));
}

TEST(Exposition, TheScan) {
  MeasuredSet set = serving("a");
  EXPECT_EQ(of(set).find("dmremap_scan"), std::string::npos);
  control::ScrubReport scrub;
  scrub.state = "running";
  scrub.scanned_sectors = {500};
  scrub.last_complete = "2023-11-14T22:13:20Z";
  scrub.felt = control::ScrubFeltReport{0.5, 1, 40};
  set.look.report->scrub = scrub;
  const std::string text = of(set);
  EXPECT_TRUE(has_line(text, R"(dmremap_scan_position_ratio{set="a"} 0.25)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_scan_state{set="a",state="running"} 1)"));
  EXPECT_TRUE(
      has_line(text, R"(dmremap_scan_last_completed_timestamp_seconds{set="a"} 1700000000)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_scan_felt_ratio{set="a",statistic="mean"} 0.005)"));
}

TEST(Exposition, TheVerdictIsLeftOutIfThereIsNone) {
  MeasuredSet set = serving("a");
  EXPECT_EQ(of(set).find("dmremap_health"), std::string::npos);
  control::HealthReport health;
  health.score = 40;
  health.verdict = "replace-soon";
  health.reasons = {{"smart-errors-grew", 20, ""}, {"smart-errors-grew", 10, ""}, {"slow", 5, ""}};
  health.risk.low_of_100 = 10;
  health.risk.high_of_100 = 30;
  health.forecasts = {{"spare", 2, 4.5, ""}, {"table", 100, std::nullopt, ""}};
  set.look.report->health = health;
  const std::string text = of(set);
  EXPECT_TRUE(has_line(text, R"(dmremap_health_score{set="a"} 40)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_health_verdict{set="a",verdict="replace-soon"} 1)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_health_verdict{set="a",verdict="good"} 0)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_health_reason{set="a",reason="smart-errors-grew"} 30)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_health_risk_ratio{set="a",bound="high"} 0.3)"));
  EXPECT_TRUE(
      has_line(text, R"(dmremap_forecast_seconds{set="a",of="spare",bound="high"} 388800)"));
  EXPECT_EQ(text.find("of=\"table\",bound=\"high\""), std::string::npos);
}

TEST(Exposition, CountersOfTheHistoryAreSums) {
  MeasuredSet set = serving("a");
  EXPECT_EQ(of(set).find("dmremap_remaps_total"), std::string::npos);
  control::HistoryReply history;
  history.older = {{"remapped", 100}};
  history.days = {{3, 1, "", {{"remapped", 5}, {"lost", 2}}, {}},
                  {4, 1, "", {{"remapped", 1}}, {}}};
  set.history = history;
  const std::string text = of(set);
  EXPECT_TRUE(has_line(text, R"(dmremap_remaps_total{set="a"} 106)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_losses_total{set="a"} 2)"));
  EXPECT_TRUE(has_line(text, R"(dmremap_trips_total{set="a"} 0)"));
}

TEST(Exposition, ValuesOfLabelsAreEscaped) {
  EXPECT_EQ(escaped("a\"b\\c\nd"), R"(a\"b\\c\nd)");
  MeasuredSet set = serving("a");
  set.look.report->main.path = "/dev/\"odd\\disk";
  EXPECT_NE(of(set).find(R"(main="/dev/\"odd\\disk"} 1)"), std::string::npos);
}

}  // namespace
}  // namespace dmremap::metrics
