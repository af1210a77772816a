// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/target_control.hpp"

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::dm {
namespace {

using std::chrono::milliseconds;

// A target that expects certain messages, in order, and has their answers ready.
class ScriptedTarget {
 public:
  void expect(std::string message, std::string answer) {
    script_.emplace_back(std::move(message), std::move(answer));
  }
  TargetControl attach() {
    expect("hello", "1 00000000000000aa 64 2048");
    auto control =
        TargetControl::attach([this](const std::string& message) { return send(message); });
    EXPECT_TRUE(control);
    return *std::move(control);
  }
  [[nodiscard]] bool done() const { return script_.empty(); }

 private:
  Result<std::string> send(const std::string& message) {
    if (script_.empty()) {
      ADD_FAILURE() << "not expected: " << message;
      return fail(ErrorCode::internal, "not expected");
    }
    EXPECT_EQ(message, script_.front().first);
    std::string answer = script_.front().second;
    script_.pop_front();
    return answer;
  }
  std::deque<std::pair<std::string, std::string>> script_;
};

const std::vector<RegionRange> kRanges = {{9, 2}};

TEST(TargetControl, LearnsTheTable) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  EXPECT_EQ(control.table().regions, 64U);
  EXPECT_EQ(control.regions_of({Sector{2047}, SectorCount{2}}), (RegionRange{0, 2}));
  EXPECT_EQ(control.regions_of({Sector{4096}, SectorCount{2048}}), (RegionRange{2, 1}));
}

TEST(TargetControl, DoesNotAttachToNothing) {
  for (const char* answer :
       {"", "1 00000000000000aa 0 2048", "1 00000000000000aa 64 0", "2 00000000000000aa 64 8"}) {
    const auto control =
        TargetControl::attach([&](const std::string&) { return std::string(answer); });
    EXPECT_FALSE(control) << answer;
  }
}

TEST(TargetControl, AsksAgainUntilDrained) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  target.expect("mark 1 00000000000000aa 9+2", "1 00000000000000aa 3");
  target.expect("drain 1 00000000000000aa 10000 9+2", "1 00000000000000aa 3");
  target.expect("drain 1 00000000000000aa 10000 9+2", "1 00000000000000aa 1");
  target.expect("drain 1 00000000000000aa 5000 9+2", "1 00000000000000aa 0");
  EXPECT_TRUE(control.mark(kRanges));
  EXPECT_TRUE(control.drain(kRanges, milliseconds(25000)));
  EXPECT_TRUE(target.done());
}

TEST(TargetControl, GivesUpDrainingAtItsEnd) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  target.expect("drain 1 00000000000000aa 10000 9+2", "1 00000000000000aa 3");
  target.expect("drain 1 00000000000000aa 2000 9+2", "1 00000000000000aa 1");
  const auto drained = control.drain(kRanges, milliseconds(12000));
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code, ErrorCode::timeout);
  EXPECT_TRUE(target.done());
}

TEST(TargetControl, PutsListsInPartsTogether) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  target.expect("dirty 1 00000000000000aa 0", "1 00000000000000aa 3+1 9+3 next 13");
  target.expect("dirty 1 00000000000000aa 13", "1 00000000000000aa 60+4 next 64");
  const auto dirty = control.dirty();
  ASSERT_TRUE(dirty);
  EXPECT_EQ(*dirty, (std::vector<RegionRange>{{3, 1}, {9, 3}, {60, 4}}));
}

TEST(TargetControl, DoesNotAskForTheSamePartForEver) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  target.expect("marks 1 00000000000000aa 0", "1 00000000000000aa next 0");
  EXPECT_FALSE(control.marked());
}

TEST(TargetControl, NoticesThatTheTableIsAnother) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  target.expect("mark 1 00000000000000aa 9+2", "1 00000000000000ab 0");
  EXPECT_EQ(control.mark(kRanges).error().code, ErrorCode::protocol);
  target.expect("clear 1 00000000000000aa 9+2", "");
  EXPECT_EQ(control.clear(kRanges).error().code, ErrorCode::protocol);
}

TEST(TargetControl, SendsManyRangesInParts) {
  std::vector<RegionRange> ranges;
  for (std::uint32_t first = 0; first < 1300; first += 2) {
    ranges.push_back({first, 1});
  }
  std::vector<std::size_t> plus_signs;
  const auto control =
      TargetControl::attach([&](const std::string& message) -> Result<std::string> {
        if (message == "hello") {
          return "1 00000000000000aa 2000 2048";
        }
        plus_signs.push_back(static_cast<std::size_t>(std::ranges::count(message, '+')));
        return "1 00000000000000aa 0";
      });
  ASSERT_TRUE(control);
  EXPECT_TRUE(control->clear(ranges));
  EXPECT_EQ(plus_signs, (std::vector<std::size_t>{512, 138}));
  plus_signs.clear();
  EXPECT_TRUE(control->clear({}));
  EXPECT_TRUE(plus_signs.empty());
}

TEST(TargetControl, TellsEachSlowRequestOnce) {
  ScriptedTarget target;
  TargetControl control = target.attach();
  target.expect("slow 1 00000000000000aa 200 0", "1 00000000000000aa r 8+8 300 next 5");
  target.expect("slow 1 00000000000000aa 200 5", "1 00000000000000aa next 5");
  EXPECT_EQ(control.take_slow(milliseconds(200)).value().size(), 1U);
  EXPECT_TRUE(control.take_slow(milliseconds(200)).value().empty());
}

TEST(TargetControl, EndsAndSettlesEpochs) {
  ScriptedTarget target;
  const TargetControl control = target.attach();
  target.expect("epoch 1 00000000000000aa", "1 00000000000000aa 7 5");
  target.expect("settle 1 00000000000000aa 7", "1 00000000000000aa 7");
  target.expect("written 1 00000000000000aa 7 0", "1 00000000000000aa next 64");
  const auto epochs = control.end_epoch();
  ASSERT_TRUE(epochs);
  EXPECT_EQ(epochs->ended, Epoch{7});
  EXPECT_TRUE(control.settle(epochs->ended));
  EXPECT_TRUE(control.written_after(epochs->ended).value().empty());
}

}  // namespace
}  // namespace dmremap::dm
