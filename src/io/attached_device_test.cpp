// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/attached_device.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace dmremap::io {
namespace {

constexpr Geometry kGeometry{{1'024}, 512, 4'096};

// Fills what is read with its number, and counts what it is asked.
class Numbered final : public BlockDevice {
 public:
  explicit Numbered(int number) : BlockDevice("device", kGeometry), number_(number) {}
  ~Numbered() override {
    if (closed != nullptr) *closed = true;
  }

  std::atomic<bool>* closed = nullptr;
  std::atomic<int> error{0};
  std::atomic<int> asked{0};

 private:
  IoStatus answer() {
    ++asked;
    return {error.load()};
  }
  IoStatus do_read(Sector /*first*/, std::span<std::byte> out) override {
    std::ranges::fill(out, static_cast<std::byte>(number_));
    return answer();
  }
  IoStatus do_write(Sector /*first*/, std::span<const std::byte> /*data*/) override {
    return answer();
  }
  IoStatus do_flush() override { return answer(); }
  IoStatus do_write_zeroes(SectorRange /*range*/) override { return answer(); }
  IoStatus do_discard(SectorRange /*range*/) override { return answer(); }

  const int number_;
};

int number_at(BlockDevice& device) {
  std::array<std::byte, 512> unit{};
  const IoStatus status = device.read({0}, unit);
  return status.ok() ? std::to_integer<int>(unit.front()) : -status.error;
}

TEST(AttachedDevice, EveryKindOfRequestGoesToTheDeviceThatIsAttached) {
  const auto first = std::make_shared<Numbered>(1);
  const auto second = std::make_shared<Numbered>(2);
  AttachedDevice device(first);
  EXPECT_EQ(device.geometry(), kGeometry);
  device.attach(second);
  std::array<std::byte, 512> unit{};
  std::array<ReadOp, 2> reads{ReadOp{{0}, unit}, ReadOp{{1}, unit}};
  std::array<WriteOp, 2> writes{WriteOp{{0}, unit}, WriteOp{{1}, unit}};
  EXPECT_TRUE(device.read({0}, unit).ok());
  EXPECT_TRUE(device.write({0}, unit).ok());
  device.read_many(reads);
  device.write_many(writes);
  EXPECT_TRUE(device.flush().ok());
  EXPECT_TRUE(device.write_zeroes({{0}, {1}}).ok());
  EXPECT_TRUE(device.discard({{0}, {1}}).ok());
  EXPECT_EQ(first->asked, 0);
  EXPECT_EQ(second->asked, 9);
}

TEST(AttachedDevice, CountsWhatFailsWhereverItFailed) {
  const auto first = std::make_shared<Numbered>(1);
  first->error = ENODEV;
  AttachedDevice device(first);
  EXPECT_EQ(number_at(device), -ENODEV);
  device.attach(std::make_shared<Numbered>(2));
  EXPECT_EQ(number_at(device), 2);
  EXPECT_EQ(device.counters().absences, 1U);
  EXPECT_EQ(device.counters().reads, 2U);
}

TEST(AttachedDevice, TheFormerDeviceIsClosedOnceNobodyUsesIt) {
  std::atomic<bool> closed = false;
  auto first = std::make_shared<Numbered>(1);
  first->closed = &closed;
  AttachedDevice device(std::move(first));
  auto in_use = device.attached();
  device.attach(std::make_shared<Numbered>(2));
  EXPECT_FALSE(closed);
  EXPECT_EQ(number_at(*in_use), 1);
  in_use.reset();
  EXPECT_TRUE(closed);
}

// What ThreadSanitizer and AddressSanitizer are for: a device that is closed under a request.
TEST(AttachedDevice, Promise8_ADeviceIsExchangedWhileRequestsAreInFlight) {
  AttachedDevice device(std::make_shared<Numbered>(1));
  std::atomic<bool> ends = false;
  std::atomic<bool> wrong = false;
  std::vector<std::jthread> readers;
  readers.reserve(3);
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&] {
      while (!ends) {
        const int number = number_at(device);
        if (number != 1 && number != 2) wrong = true;
      }
    });
  }
  for (int i = 0; i < 2'000; ++i) device.attach(std::make_shared<Numbered>(1 + i % 2));
  device.attach(std::make_shared<Numbered>(2));
  EXPECT_EQ(number_at(device), 2) << "whoever begins after an exchange meets the new device";
  ends = true;
  readers.clear();
  EXPECT_FALSE(wrong);
}

}  // namespace
}  // namespace dmremap::io
