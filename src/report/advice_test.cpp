// SPDX-License-Identifier: GPL-2.0-or-later
#include "report/advice.hpp"

#include <algorithm>
#include <set>

#include <gtest/gtest.h>

#include "report/example_facts.hpp"

namespace dmremap::report {
namespace {

bool says(const std::vector<Advice>& advice, const std::string& command) {
  for (const Advice& one : advice) {
    if (std::ranges::find(one.commands, command) != one.commands.end()) return true;
  }
  return false;
}

TEST(Advise, AGoodDiskInAHealthySetNeedsNothing) {
  const auto advice = advise(examples::good());
  ASSERT_EQ(advice.size(), 1U);
  EXPECT_TRUE(advice[0].commands.empty());
}

TEST(Advise, ADyingDiskIsCopiedBeforeAllElse) {
  ReportFacts facts = examples::watched();
  for (const char* verdict : {"replace-now", "replace-soon"}) {
    facts.set.health->verdict = verdict;
    const auto advice = advise(facts);
    EXPECT_EQ(advice.front().because, verdict);
    EXPECT_EQ(advice.front().commands, std::vector<std::string>{"dmremap copy backup TARGET"});
  }
}

TEST(Advise, AStoppedSetIsStartedToBeCopied) {
  EXPECT_EQ(
      advise(examples::failing()).front().commands,
      (std::vector<std::string>{"dmremap start old-photos", "dmremap copy old-photos TARGET"}));
}

TEST(Advise, NoCommandIsGivenTwice) {
  std::set<std::string> given;
  for (const Advice& one : advise(examples::failing())) {
    for (const std::string& command : one.commands)
      EXPECT_TRUE(given.insert(command).second) << command;
  }
  EXPECT_EQ(given.count("dmremap start old-photos"), 1U);
}

TEST(Advise, LostDataIsLookedForAndFilled) {
  const auto advice = advise(examples::watched());
  EXPECT_TRUE(says(advice, "dmremap files backup"));
  EXPECT_TRUE(says(advice, "dmremap backfill backup IMAGE"));
}

TEST(Advise, EachConditionHasAStep) {
  for (const char* word :
       {"tripped", "read-only", "spare-full", "table-full", "spare-low", "table-low", "spare-away",
        "spare-refuses", "main-read-only", "main-missing", "device-resized", "died", "stopped",
        "data-lost", "degraded"}) {
    ReportFacts facts = examples::good();
    facts.set.conditions = {word};
    if (std::string_view(word) == "data-lost") facts.set.lost_sectors = 1;
    if (std::string_view(word) == "degraded") facts.set.copies.good = 7;
    const auto advice = advise(facts);
    ASSERT_FALSE(advice.empty());
    EXPECT_EQ(advice.front().because, word);
    EXPECT_FALSE(advice.front().commands.empty()) << word;
  }
}

TEST(Advise, ASpareThatIsFullOrNearlyMayGrowAndATableMayNot) {
  for (const auto& [word, grows] : std::map<std::string, bool>{{"spare-full", true},
                                                               {"spare-low", true},
                                                               {"table-full", false},
                                                               {"table-low", false}}) {
    ReportFacts facts = examples::good();
    facts.set.conditions = {word};
    EXPECT_EQ(says(advise(facts), "dmremap spare grow backup"), grows) << word;
    EXPECT_TRUE(says(advise(facts), "dmremap unremap backup --all")) << word;
  }
}

TEST(Advise, TheRoomOfASpareThatGrewIsToBeTakenOver) {
  ReportFacts facts = examples::good();
  facts.set.conditions = {"device-resized"};
  facts.set.reason = "the spare grew from 32768 to 65536 sectors";
  EXPECT_TRUE(says(advise(facts), "dmremap spare grow backup"));
  facts.set.reason = "main grew from 32768 to 65536 sectors";
  EXPECT_FALSE(says(advise(facts), "dmremap spare grow backup"));
}

TEST(Advise, WithoutAVerdictTheDiskIsReadOnce) {
  EXPECT_EQ(verdict_of(examples::unknown()), "unknown");
  EXPECT_TRUE(says(advise(examples::unknown()), "dmremap scrub backup start --now"));
}

TEST(ShellWord, IsOneWordOfAShell) {
  EXPECT_EQ(shell_word("/dev/sdb1", "X"), "/dev/sdb1");
  EXPECT_EQ(shell_word("/a b/$(rm)", "X"), "'/a b/$(rm)'");
  EXPECT_EQ(shell_word("it's", "X"), "'it'\\''s'");
  EXPECT_EQ(shell_word("a\nb", "SPARE"), "SPARE");
  EXPECT_EQ(shell_word("", "SPARE"), "SPARE");
}

}  // namespace
}  // namespace dmremap::report
