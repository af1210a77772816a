// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <vector>

#include <gtest/gtest.h>

#include "manual/command_line.hpp"
#include "manual/suggestion.hpp"
#include "manual/words.hpp"

namespace dmremap::manual {
namespace {

const std::vector<std::string> kVerbs{"start", "stop", "status", "list", "release", "repair"};

TEST(Suggestion, CountsLettersThatDiffer) {
  EXPECT_EQ(edit_distance("status", "status"), 0U);
  EXPECT_EQ(edit_distance("statsu", "status"), 1U);
  EXPECT_EQ(edit_distance("stauts", "status"), 1U);
  EXPECT_EQ(edit_distance("stat", "status"), 2U);
  EXPECT_EQ(edit_distance("", "list"), 4U);
}

TEST(Suggestion, IsTheNearestWordIfOneIsNear) {
  EXPECT_EQ(nearest("statsu", kVerbs), "status");
  EXPECT_EQ(nearest("lst", kVerbs), "list");
  EXPECT_EQ(nearest("relase", kVerbs), "release");
  EXPECT_EQ(nearest("frobnicate", kVerbs), std::nullopt);
  EXPECT_EQ(nearest("", kVerbs), std::nullopt);
}

TEST(Filled, BreaksLinesBetweenWords) {
  EXPECT_EQ(filled("one two three", 2, 10), "one two\n  three");
  EXPECT_EQ(filled("a-word-that-is-too-long b", 0, 5), "a-word-that-is-too-long\nb");
  EXPECT_EQ(filled("", 2, 10), "");
  EXPECT_EQ(filled("type `do it` or not", 0, 10), "type\n`do it` or\nnot") << "one can type it off";
}

TEST(Refilled, KeepsWhatIsIndented) {
  EXPECT_EQ(refilled("one\ntwo\nthree\n\n  as it\n  stands", 9),
            "one two\nthree\n\n  as it\n  stands");
  EXPECT_EQ(refilled("`word`\n  one two\n  three", 11), "`word`\n  one two\n  three");
}

class ProgramTest : public ::testing::Test {
 protected:
  ProgramTest() : program_("tool", "Does things", "tool 1") {
    Verb app = program_.top();
    app.require_verb();
    Verb status = app.add_verb("status", "how it is");
    status.add_option("NAME", name_, "whose").replaced_by([](const std::string& given) {
      return given == "bad" ? Result<std::string>(fail(ErrorCode::ambiguous, "is two", given))
                            : Result<std::string>("the " + given);
    });
    Verb bad = app.add_verb("bad", "lists");
    bad.require_verb();
    (void)bad.add_verb("import", "take one");
    (void)app.add_verb("start", "begin");
    app.group_verbs("Every day:", {"status", "start"});
    program_.add_flag_everywhere("-q,--quiet", quiet_, "say less");
    app.describe({.description = "A tool."});
  }

  Parsed parse(const std::vector<const char*>& words) {
    std::vector<const char*> line(words.size() + 1, "tool");
    std::copy(words.begin(), words.end(), line.begin() + 1);
    return program_.parse(static_cast<int>(line.size()), line.data());
  }

  Program program_;
  std::string name_;
  bool quiet_ = false;
};

TEST_F(ProgramTest, AVerbThatIsNoneHasTheNearestOneNamed) {
  const Parsed parsed = parse({"statsu", "x"});
  ASSERT_EQ(parsed.kind, Parsed::Kind::wrong);
  ASSERT_TRUE(parsed.error);
  EXPECT_EQ(parsed.error->what, "no verb statsu");
  EXPECT_EQ(parsed.error->hint, "did you mean status?");
}

TEST_F(ProgramTest, TheSameBelowAVerb) {
  const Parsed parsed = parse({"-q", "bad", "imprt"});
  ASSERT_TRUE(parsed.error);
  EXPECT_EQ(parsed.error->where, "bad");
  EXPECT_EQ(parsed.error->hint, "did you mean import?");
}

TEST_F(ProgramTest, AValueIsReplacedAndItsErrorHandedOn) {
  EXPECT_EQ(parse({"status", "set"}).kind, Parsed::Kind::complete);
  EXPECT_EQ(name_, "the set");
}

TEST_F(ProgramTest, TheErrorOfAReplacementEndsTheParsing) {
  const Parsed parsed = parse({"status", "bad"});
  ASSERT_EQ(parsed.kind, Parsed::Kind::wrong);
  ASSERT_TRUE(parsed.error);
  EXPECT_EQ(parsed.error->code, ErrorCode::ambiguous);
}

TEST_F(ProgramTest, AFlagMayStandBeforeAndAfterTheVerb) {
  EXPECT_EQ(parse({"-q", "start"}).kind, Parsed::Kind::complete);
  EXPECT_TRUE(quiet_);
}

TEST_F(ProgramTest, AFlagMayStandAfterTheVerb) {
  EXPECT_EQ(parse({"start", "--quiet"}).kind, Parsed::Kind::complete);
  EXPECT_TRUE(quiet_);
}

TEST_F(ProgramTest, HelpListsVerbsInGroups) {
  const auto help = program_.help_of({});
  ASSERT_TRUE(help);
  const auto day = help->find("Every day:");
  const auto rest = help->find("Other verbs:");
  ASSERT_NE(day, std::string::npos);
  ASSERT_NE(rest, std::string::npos);
  EXPECT_LT(day, help->find("  start"));
  EXPECT_LT(help->find("  start"), rest);
  EXPECT_LT(rest, help->find("  bad"));
}

TEST_F(ProgramTest, HelpOfAVerbAndOfOneThatIsNone) {
  EXPECT_NE(program_.help_of({"bad", "import"}).value().find("Usage: tool bad import"),
            std::string::npos);
  EXPECT_EQ(program_.help_of({"statsu"}).error().hint, "did you mean status?");
}

}  // namespace
}  // namespace dmremap::manual
