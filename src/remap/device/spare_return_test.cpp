// SPDX-License-Identifier: GPL-2.0-or-later
// A spare that comes back as another device while the set runs.
#include "remap/device/spare_return.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <thread>

#include <gtest/gtest.h>

#include "io/attached_device.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

constexpr io::Geometry kGeometry{kSpareSize, 512, 4096};

// Not owned: the devices of a test live as long as it does.
std::shared_ptr<io::BlockDevice> borrowed(io::BlockDevice& device) {
  return {&device, [](io::BlockDevice* /*device*/) {}};
}

// Finds what it is told to find.
class FakeReopener final : public SpareReopener {
 public:
  FakeReopener(io::AttachedDevice& door, Rig& rig) : door_(door), rig_(rig) {}

  Result<Found> find() override {
    ++asked;
    std::array<std::byte, 512> unit{};
    if (door_.read({0}, unit).ok()) return fail(ErrorCode::missing_device, "answers");
    const std::lock_guard lock(mutex_);
    if (!error_.what.empty()) return tl::unexpected(error_);
    if (device_ == nullptr) return fail(ErrorCode::missing_device, "not back yet");
    metadata::CommitName last = rig_.store->current();
    if (outdated) last.sequence -= 1;
    return Found{"/dev/new", last};
  }
  void attach() override {
    ++attached;
    const std::lock_guard lock(mutex_);
    door_.attach(borrowed(*device_));
  }
  void let_go() override { ++let_gone; }

  void show(io::BlockDevice* device) {
    const std::lock_guard lock(mutex_);
    device_ = device;
    error_ = {};
  }
  void refuse(const std::string& why) {
    const std::lock_guard lock(mutex_);
    error_ = Error{ErrorCode::metadata_doubtful, why, {}, {}};
  }

  std::atomic<bool> outdated{false};
  std::atomic<int> asked{0};
  std::atomic<int> attached{0};
  std::atomic<int> let_gone{0};

 private:
  io::AttachedDevice& door_;
  Rig& rig_;
  std::mutex mutex_;
  io::BlockDevice* device_ = nullptr;
  Error error_;
};

class SpareReturnTest : public ::testing::Test {
 protected:
  SpareReturnTest() : door(borrowed(rig.spare)), reopener(door, rig), returned(kGeometry, "new") {
    rig.spare_door = &door;
    rig.spare_reopener = &reopener;
    rig.spare_look_interval_ms = 1;
    rig.start();
    rig.main.fail_writes({{64}, {64}}, ENODATA);
    EXPECT_EQ(rig.write(64, 8, 2), 0);
    EXPECT_TRUE(rig.engine->flush().ok());
  }
  ~SpareReturnTest() override { rig.stop(); }

  void unplug() {
    rig.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
    EXPECT_NE(rig.write(72, 8, 3), 0);
    EXPECT_TRUE(soon_in(SpareState::away));
    returned.poke({0}, rig.spare.contents());
  }
  [[nodiscard]] bool soon_in(SpareState state) {
    return soon([&] { return rig.engine->conditions().spare == state; });
  }
  [[nodiscard]] bool is_told(const std::string& text) const {
    return rig.engine->conditions().spare_reason.find(text) != std::string::npos;
  }
  [[nodiscard]] std::size_t events_with(const std::string& text) const {
    const auto events = rig.events.of(format::EventKind::spare_away);
    return static_cast<std::size_t>(std::ranges::count_if(events, [&](const format::Event& one) {
      return one.text.find(text) != std::string::npos;
    }));
  }

  Rig rig;
  io::AttachedDevice door;
  FakeReopener reopener;
  sim::SimDevice returned;
};

TEST_F(SpareReturnTest, Promise8_ASpareThatIsBackAsAnotherDeviceIsUsedAgain) {
  unplug();
  EXPECT_TRUE(soon([&] { return reopener.asked > 2; }));
  EXPECT_EQ(reopener.attached, 0);
  reopener.show(&returned);
  ASSERT_TRUE(soon_in(SpareState::answers));
  EXPECT_EQ(rig.read(64, 8), 2) << "what was remapped before";
  EXPECT_EQ(rig.write(72, 8, 4), 0) << "what had to be refused";
  EXPECT_EQ(rig.read(72, 8), 4);
  EXPECT_EQ(reopener.attached, 1);
  EXPECT_EQ(events_with("/dev/new"), 1U);
  EXPECT_FALSE(rig.engine->conditions().read_only);
  rig.restart();
  EXPECT_EQ(rig.read(64, 8), 2);
  EXPECT_EQ(rig.read(72, 8), 4);
}

TEST_F(SpareReturnTest, Promise8_WhileTheSpareAnswersNothingIsLookedFor) {
  ASSERT_TRUE(soon_in(SpareState::answers));
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  EXPECT_EQ(reopener.asked, 0);
}

TEST_F(SpareReturnTest, Promise8_ADeviceThatIsNotTakenIsNamedOnceAndTheSetStaysAsItIs) {
  unplug();
  reopener.refuse("/dev/clone is there, but holds an older state");
  ASSERT_TRUE(soon([&] { return is_told("/dev/clone is there"); }));
  const int asked = reopener.asked;
  ASSERT_TRUE(soon([&] { return reopener.asked > asked + 5; }));
  EXPECT_EQ(events_with("/dev/clone"), 1U);
  EXPECT_EQ(rig.engine->conditions().spare, SpareState::away);
  EXPECT_EQ(reopener.attached, 0);
  // Seen from outside that the device is gone, it is told all the same.
  DeviceNews news;
  news.spare_absence = "the kernel no longer has it";
  rig.engine->note_devices(news);
  EXPECT_EQ(rig.engine->conditions().spare_reason,
            "the kernel no longer has it; /dev/clone is there, but holds an older state");
  rig.engine->note_devices({});
  reopener.show(nullptr);
  ASSERT_TRUE(soon([&] { return !is_told("/dev/clone"); }));
  reopener.show(&returned);
  ASSERT_TRUE(soon_in(SpareState::answers));
  EXPECT_EQ(rig.engine->conditions().spare_reason, "");
}

// Found by the commit that was the last one then.
TEST_F(SpareReturnTest, Promise8_ADeviceFoundBeforeACommitIsNotAttached) {
  unplug();
  reopener.outdated = true;
  reopener.show(&returned);
  const int let_gone = reopener.let_gone;
  ASSERT_TRUE(soon([&] { return reopener.let_gone > let_gone + 3; }));
  EXPECT_EQ(reopener.attached, 0);
  EXPECT_EQ(rig.engine->conditions().spare, SpareState::away);
  reopener.outdated = false;
  EXPECT_TRUE(soon_in(SpareState::answers));
}

// The kernel has lost the node, and no request has met it.
TEST_F(SpareReturnTest, Promise13_ASpareThatIsSeenToBeGoneIsLookedForWithoutARequest) {
  ASSERT_TRUE(soon_in(SpareState::answers));
  returned.poke({0}, rig.spare.contents());
  reopener.show(&returned);
  rig.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENXIO}; });
  DeviceNews news;
  news.spare_absence = "gone";
  rig.engine->note_devices(news);
  ASSERT_TRUE(soon([&] { return reopener.attached == 1; }));
  rig.engine->note_devices({});
  EXPECT_TRUE(soon_in(SpareState::answers));
}

TEST_F(SpareReturnTest, Promise8_AReadOnlySetHasItsSpareBackToo) {
  rig.stop();
  rig.start_read_only();
  EXPECT_EQ(rig.read(64, 8), 2);
  returned.poke({0}, rig.spare.contents());
  rig.spare.set_hook([](const sim::Request&) { return io::IoStatus{ENODEV}; });
  EXPECT_EQ(rig.read(64, 8), -ENODEV);
  ASSERT_TRUE(soon_in(SpareState::away));
  rig.store = std::make_unique<FakeStore>();  // the name of a commit, for the reopener
  reopener.show(&returned);
  ASSERT_TRUE(soon_in(SpareState::answers));
  EXPECT_EQ(rig.read(64, 8), 2);
}

// A spare by itself, attached to a first device and then to a second one.
class ReattachedSpare : public ::testing::Test {
 protected:
  ReattachedSpare()
      : first(kGeometry),
        second(kGeometry),
        door(borrowed(first)),
        spare(kFirstSpare, door, kSpareSize,
              *table::Allocator::of(kFirstSpare, kSpareSize, {}, table::Table({}, {}), {1}),
              system_scheduling()) {}

  void reattach() {
    spare.reattach([this] { door.attach(borrowed(second)); });
  }
  [[nodiscard]] bool flush_for_user() {
    const auto flushed = spare.flush_for_user(heard);
    heard = std::max(heard, flushed.failures);
    return flushed.status.ok();
  }

  sim::SimDevice first;
  sim::SimDevice second;
  io::AttachedDevice door;
  SpareDevice spare;
  FlushGate::Mark heard = 0;
};

TEST_F(ReattachedSpare, Promise3_WhatWasNotFlushedToTheFormerAttachmentFailsOneFlush) {
  ASSERT_TRUE(spare.write({64}, pattern(8, 1)).ok());
  reattach();
  EXPECT_FALSE(flush_for_user());
  EXPECT_TRUE(flush_for_user());
  ASSERT_TRUE(spare.write({64}, pattern(8, 2)).ok());
  EXPECT_TRUE(flush_for_user());
}

TEST_F(ReattachedSpare, IfEverythingWasFlushedNoFlushFails) {
  ASSERT_TRUE(spare.write({64}, pattern(8, 1)).ok());
  ASSERT_TRUE(flush_for_user());
  reattach();
  EXPECT_TRUE(flush_for_user());
}

TEST_F(ReattachedSpare, Promise3_AWriteThatIsUnderWayFails) {
  first.set_hook([this](const sim::Request&) {
    reattach();
    return io::kIoOk;
  });
  EXPECT_FALSE(spare.write({64}, pattern(8, 1)).ok());
  EXPECT_TRUE(spare.write({64}, pattern(8, 2)).ok());
}

// A flush of the new attachment that came before the absence was noted would be word of a write
// that only the former one has.
TEST_F(ReattachedSpare, Promise3_NoFlushComesBetweenTheExchangeAndTheAbsence) {
  ASSERT_TRUE(spare.write({64}, pattern(8, 1)).ok());
  std::atomic<bool> flushed = false;
  bool fine = true;
  std::thread user;
  spare.reattach([&] {
    door.attach(borrowed(second));
    user = std::thread([&] {
      fine = flush_for_user();
      flushed = true;
    });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    EXPECT_FALSE(flushed);
  });
  user.join();
  EXPECT_FALSE(fine);
}

}  // namespace
}  // namespace dmremap::remap
