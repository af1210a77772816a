// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/replaceable.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::daemon {
namespace {

struct Device {
  std::string node;
};
using Devices = Replaceable<Device>;

std::unique_ptr<Device> device(int number) {
  return std::make_unique<Device>(Device{"/dev/a-name-that-is-not-short" + std::to_string(number)});
}

// As `status` asks for the node while the device is replaced; worth a build with ThreadSanitizer.
TEST(Replaceable, WhoLooksAtItHasADeviceThatLivesOn) {
  Devices devices(device(0));
  std::atomic<bool> done{false};
  std::atomic<unsigned> looks{0};
  std::vector<std::thread> lookers;
  lookers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    lookers.emplace_back([&] {
      while (!done) {
        EXPECT_EQ(devices.get()->node.rfind("/dev/a-name", 0), 0U);
        ++looks;
      }
    });
  }
  for (int number = 1; number <= 1000 || looks < 1000; ++number) {
    const auto former = devices.replace([&] { return device(number); }, [](const Error&) {});
    EXPECT_EQ(former->node, device(number - 1)->node);
  }
  done = true;
  for (std::thread& looker : lookers) looker.join();
}

// It is tried each second.
TEST(Replaceable, AFailureIsToldWhenItsCauseChanges) {
  Devices devices(device(0));
  std::vector<std::string> told;
  const auto fails = [&](const char* why) {
    EXPECT_EQ(devices.replace(
                  [&]() -> Result<std::unique_ptr<Device>> { return fail(ErrorCode::io, why); },
                  [&](const Error& error) { told.push_back(error.what); }),
              nullptr);
  };
  for (int i = 0; i < 3; ++i) fails("no memory");
  fails("no driver");
  EXPECT_EQ(told, (std::vector<std::string>{"no memory", "no driver"}));
  EXPECT_EQ(devices.get()->node, device(0)->node);
  EXPECT_NE(devices.replace([] { return device(1); }, [](const Error&) {}), nullptr);
  fails("no driver");
  EXPECT_EQ(told.size(), 3U) << "another time, after one that was made";
}

}  // namespace
}  // namespace dmremap::daemon
