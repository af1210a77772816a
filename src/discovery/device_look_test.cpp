// SPDX-License-Identifier: GPL-2.0-or-later
// Facts of several devices are gathered at the same time, each device opened once; what fails is a
// fact of that device alone.
#include "discovery/device_look.hpp"

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <memory>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "rig/temporary_directory.hpp"

namespace dmremap::discovery {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr milliseconds kSlowest{400};
constexpr milliseconds kOthers{100};
// Longer than a busy machine holds up a thread that has work to do.
constexpr milliseconds kPatience{1500};

class DeviceLookTest : public ::testing::Test {
 protected:
  std::string image(const std::string& name) {
    std::string path = directory_.path() + "/" + name;
    std::ofstream(path).close();
    std::filesystem::resize_file(path, 16 * kMiB);
    return path;
  }
  // Every device answers late, and one that is called "slow" much later.
  DeviceLook slow_look() {
    return DeviceLook([this](const std::string& path) {
      ++opens_;
      std::this_thread::sleep_for(path.ends_with("slow") ? kSlowest : kOthers);
      return io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
    });
  }

  TemporaryDirectory directory_;
  std::atomic<int> opens_ = 0;
};

TEST_F(DeviceLookTest, ASlowDeviceDoesNotHoldUpTheOthers) {
  std::vector<std::string> paths{image("slow")};
  for (int i = 0; i < 12; ++i) paths.push_back(image("other" + std::to_string(i)));
  DeviceLook look = slow_look();
  const auto begin = steady_clock::now();
  look.survey(paths);
  EXPECT_LT(steady_clock::now() - begin, kSlowest + 6 * kOthers) << "not one after the other";
  for (const std::string& path : paths) {
    ASSERT_TRUE(look.facts().at(path).survey) << path;
    EXPECT_FALSE(look.facts().at(path).has_set());
  }
}

TEST_F(DeviceLookTest, ADeviceThatDoesNotAnswerIsAFactAndTheOthersAreLookedAt) {
  // Owned by the thread that hangs, too: it is left behind.
  struct Hanging {
    std::mutex mutex;
    std::condition_variable changed;
    bool answers = false;
    bool answered = false;
  };
  const auto hanging = std::make_shared<Hanging>();
  const std::string stuck = image("stuck");
  const std::string there = image("there");
  std::atomic<int> opens_of_stuck = 0;
  DeviceLook look(
      [hanging, stuck, &opens_of_stuck](const std::string& path) {
        if (path == stuck) {
          ++opens_of_stuck;
          std::unique_lock lock(hanging->mutex);
          hanging->changed.wait(lock, [&] { return hanging->answers; });
          hanging->answered = true;
          hanging->changed.notify_all();
        }
        return io::FileDevice::open(path, {io::Access::read_only, io::Holding::shared});
      },
      kPatience);
  look.survey({stuck, there});
  look.identify({stuck, there});
  EXPECT_EQ(opens_of_stuck, 1) << "nor is it tried again";
  const CandidateFacts& silent = look.facts().at(stuck);
  EXPECT_TRUE(silent.silent);
  ASSERT_TRUE(silent.unsurveyed());
  EXPECT_EQ(silent.unsurveyed()->what, "did not answer within 1.5 s");
  EXPECT_EQ(silent.unsurveyed()->where, stuck);
  EXPECT_EQ(look.device(stuck), nullptr);
  EXPECT_FALSE(look.facts().at(there).unsurveyed());
  EXPECT_TRUE(look.facts().at(there).identity);
  std::unique_lock lock(hanging->mutex);
  hanging->answers = true;
  hanging->changed.notify_all();
  hanging->changed.wait(lock, [&] { return hanging->answered; });
}

TEST_F(DeviceLookTest, EachDeviceIsOpenedOnceWhateverIsAsked) {
  const std::string path = image("a");
  DeviceLook look = slow_look();
  look.open({path, path});
  look.survey({path});
  look.identify({path});
  look.survey({path});
  EXPECT_EQ(opens_, 1);
  const CandidateFacts& facts = look.facts().at(path);
  EXPECT_EQ(facts.size.bytes(), 16 * kMiB);
  ASSERT_TRUE(facts.identity && *facts.identity);
  EXPECT_EQ((*facts.identity)->path, path);
  EXPECT_EQ((*facts.identity)->beneath, facts.beneath);
}

TEST_F(DeviceLookTest, OneThatFailsIsAFactAndTheOthersAreLookedAt) {
  const std::string absent = directory_.path() + "/absent";
  const std::string there = image("there");
  DeviceLook look = slow_look();
  look.survey({absent, there});
  look.survey({absent});
  EXPECT_EQ(opens_, 2) << "nor is it tried again";
  const auto failed = look.facts().at(absent).unsurveyed();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, ErrorCode::no_such_device);
  EXPECT_FALSE(look.facts().at(there).unsurveyed());
  EXPECT_EQ(look.device(absent), nullptr);
  EXPECT_NE(look.device(there), nullptr);
}

TEST_F(DeviceLookTest, AnotherFileAtThePathIsAnotherDevice) {
  const std::string path = image("a");
  DeviceLook look = slow_look();
  look.survey({path});
  const auto before = look.facts().at(path).instance;
  ASSERT_TRUE(before);
  EXPECT_EQ(*instance_of(*look.device(path)), *before);
  look.close();
  std::filesystem::rename(image("b"), path);
  look.open({path});
  EXPECT_TRUE(look.facts().at(path).unopened) << "what was learnt is not of this one";
  EXPECT_EQ(look.device(path), nullptr);
}

TEST_F(DeviceLookTest, WhatASearchDidNotChooseIsClosedAndStaysKnown) {
  const std::string chosen = image("chosen");
  const std::string other = image("other");
  DeviceLook look = slow_look();
  look.measure({chosen, other});
  look.keep_open_only({chosen});
  EXPECT_NE(look.device(chosen), nullptr);
  EXPECT_EQ(look.device(other), nullptr);
  EXPECT_EQ(look.facts().at(other).size.bytes(), 16 * kMiB);
  look.survey({chosen, other});
  EXPECT_EQ(opens_, 3) << "only the closed one is opened again";
  EXPECT_TRUE(look.facts().at(other).survey);
}

TEST_F(DeviceLookTest, OfVeryManyNotAllStayOpen) {
  std::vector<std::string> paths;
  paths.reserve(300);
  for (int i = 0; i < 300; ++i) paths.push_back(image("d" + std::to_string(i)));
  DeviceLook look;
  look.survey(paths);
  std::size_t open = 0;
  for (const std::string& path : paths) {
    EXPECT_TRUE(look.facts().at(path).survey);
    if (look.device(path) != nullptr) ++open;
  }
  EXPECT_LE(open, 200U);
}

}  // namespace
}  // namespace dmremap::discovery
