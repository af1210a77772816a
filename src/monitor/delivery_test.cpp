// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/delivery.hpp"

#include <chrono>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::monitor {
namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// What reached people, of all channels of a test.
struct Reached {
  std::mutex mutex;
  std::vector<std::string> events;
  std::vector<std::size_t> sizes;  // of the deliveries

  std::vector<std::string> seen() {
    const std::lock_guard lock(mutex);
    return events;
  }
};

class RecordingChannel : public Channel {
 public:
  RecordingChannel(Reached& reached, milliseconds between = {}, bool fails = false)
      : reached_(reached), between_(between), fails_(fails) {}
  std::vector<Error> deliver(const std::vector<Message>& messages) override {
    const std::lock_guard lock(reached_.mutex);
    for (const Message& message : messages) reached_.events.push_back(message.event);
    reached_.sizes.push_back(messages.size());
    if (fails_) return {{ErrorCode::io, "no", "here", {}}};
    return {};
  }
  [[nodiscard]] milliseconds interval() const override { return between_; }

 private:
  Reached& reached_;
  milliseconds between_;
  bool fails_;
};

class StuckChannel final : public Channel {
 public:
  explicit StuckChannel(std::shared_future<void> freed) : freed_(std::move(freed)) {}
  std::vector<Error> deliver(const std::vector<Message>& /*messages*/) override {
    freed_.wait();
    return {};
  }

 private:
  std::shared_future<void> freed_;
};

void wait_for(Reached& reached, std::size_t count) {
  const auto deadline = steady_clock::now() + std::chrono::seconds(20);
  while (reached.seen().size() < count && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(milliseconds(5));
  }
}

Message named(const std::string& event) {
  Message out;
  out.event = event;
  out.set = "a";
  return out;
}

void tell_nobody(const Error& /*error*/) {}

TEST(Delivery, AllMessagesReachEachChannelInOrder) {
  Reached one;
  Reached other;
  Delivery delivery(tell_nobody);
  delivery.add(std::make_unique<RecordingChannel>(one));
  delivery.add(std::make_unique<RecordingChannel>(other));
  for (int i = 0; i < 100; ++i) delivery.post(named(std::to_string(i)));
  EXPECT_TRUE(delivery.finish());
  std::vector<std::string> wanted;
  wanted.reserve(100);
  for (int i = 0; i < 100; ++i) wanted.push_back(std::to_string(i));
  EXPECT_EQ(one.events, wanted);
  EXPECT_EQ(other.events, wanted);
}

TEST(Delivery, AChannelThatHangsHoldsUpNoOther) {
  std::promise<void> free;
  Reached reached;
  Delivery delivery(tell_nobody);
  delivery.add(std::make_unique<StuckChannel>(free.get_future().share()));
  delivery.add(std::make_unique<RecordingChannel>(reached));
  delivery.post(named("First"));
  delivery.post(named("Second"));
  wait_for(reached, 2);
  EXPECT_EQ(reached.seen(), (std::vector<std::string>{"First", "Second"}));
  free.set_value();
}

TEST(Delivery, AFailureIsToldAndTheNextMessageIsTried) {
  Reached reached;
  std::vector<std::string> failures;
  Delivery delivery([&](const Error& error) { failures.push_back(error.message()); });
  delivery.add(std::make_unique<RecordingChannel>(reached, milliseconds(0), true));
  delivery.post(named("First"));
  wait_for(reached, 1);
  delivery.post(named("Second"));
  EXPECT_FALSE(delivery.finish());
  EXPECT_EQ(reached.events, (std::vector<std::string>{"First", "Second"}));
  EXPECT_EQ(failures, (std::vector<std::string>{"here: no", "here: no"}));
}

TEST(Delivery, WhatComesBetweenTwoDeliveriesGoesTogetherAndNothingWaitsAtTheEnd) {
  Reached reached;
  Delivery delivery(tell_nobody);
  delivery.add(std::make_unique<RecordingChannel>(reached, std::chrono::hours(1)));
  delivery.post(named("First"));
  wait_for(reached, 1);
  delivery.post(named("Second"));
  delivery.post(named("Third"));
  std::this_thread::sleep_for(milliseconds(50));
  EXPECT_EQ(reached.seen().size(), 1U);
  EXPECT_TRUE(delivery.finish());
  EXPECT_EQ(reached.sizes, (std::vector<std::size_t>{1, 2}));
}

}  // namespace
}  // namespace dmremap::monitor
