// SPDX-License-Identifier: GPL-2.0-or-later
// For tests: an engine over two simulated disks and the real metadata, and what a user would do
// with it.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "metadata/store.hpp"
#include "metadata/survey.hpp"
#include "remap/engine.hpp"
#include "sim/sim_device.hpp"

namespace dmremap::remap {

inline constexpr SectorCount kMainSize{32'768};
inline constexpr SectorCount kSpareSize{40'000};

class SeededRandom final : public Random {
 public:
  std::uint64_t next_u64() override {
    const std::lock_guard lock(mutex_);
    return engine_();
  }

 private:
  std::mutex mutex_;
  std::mt19937_64 engine_{42};
};

class EventList final : public Observer {
 public:
  void on_event(format::Event event) override {
    const std::lock_guard lock(mutex_);
    events_.push_back(std::move(event));
  }
  void fill_health(format::Health& health) override { ++health.remaps; }
  void fill_records(format::Records& records) override {
    if (on_records) on_records(records);
  }

  [[nodiscard]] std::vector<format::Event> of(format::EventKind kind) const {
    const std::lock_guard lock(mutex_);
    std::vector<format::Event> out;
    std::ranges::copy_if(events_, std::back_inserter(out),
                         [kind](const format::Event& event) { return event.kind == kind; });
    return out;
  }
  [[nodiscard]] std::size_t count(format::EventKind kind) const { return of(kind).size(); }

  std::function<void(format::Records&)> on_records;  // of each commit; set it before the engine

 private:
  mutable std::mutex mutex_;
  std::vector<format::Event> events_;
};

inline std::vector<std::byte> pattern(std::uint64_t sectors, int fill) {
  return std::vector<std::byte>(sectors * kSectorBytes, static_cast<std::byte>(fill));
}

class Reopener final : public MainReopener {
 public:
  Result<io::BlockDevice*> reopen() override {
    ++asked;
    io::BlockDevice* const found = device.load();
    if (found == nullptr) return fail(error.load(), "not back yet");
    return found;
  }
  void refuse(io::BlockDevice& /*device*/) override { ++refused; }

  std::atomic<io::BlockDevice*> device{nullptr};
  std::atomic<ErrorCode> error{ErrorCode::no_such_device};
  std::atomic<int> asked{0};
  std::atomic<int> refused{0};
};

// What other threads bring about: waits for it, a minute at most, for a machine that has other
// things to do.
template <typename Condition>
[[nodiscard]] bool soon(const Condition& condition) {
  for (int i = 0; i < 60'000; ++i) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return false;
}

// Everything from the first byte of main is 1, so that "old" differs from "zero".
class Rig {
 public:
  explicit Rig(io::Geometry main_geometry = {kMainSize, 512, 4096},
               SectorCount spare_size = kSpareSize)
      : main(main_geometry, "main"), spare({spare_size, 512, 4096}, "spare") {
    main.poke({0}, pattern(main_geometry.size.value, 1));
    content.identity.name = "rig";
    content.identity.set_uuid = random.uuid();
    content.identity.spare_uuid = random.uuid();
    content.identity.main.size = main_geometry.size;
    content.identity.spare.size = spare_size;
    content.configuration.lost_recheck_s = 3'600;
    if (const auto made = metadata::Store::create(spare, content, random, system_clock()); !made) {
      throw std::runtime_error(made.error().message());
    }
  }
  ~Rig() { stop(); }

  // Assembles from the devices alone.
  void start(MainReopener* reopener = nullptr) {
    io::BlockDevice& device = spare_door != nullptr ? *spare_door : spare;
    const auto survey = metadata::survey(device);
    ASSERT_TRUE(survey) << survey.error().message();
    const auto refused = metadata::refusal(*survey, "spare");
    ASSERT_FALSE(refused) << refused->message();
    content = *survey->content;
    auto activated = metadata::Store::activate(device, *survey, content, random, system_clock());
    ASSERT_TRUE(activated) << activated.error().message();
    store = std::move(*activated);
    start_with(store.get(), reopener);
  }
  void start_with(metadata::Store* with, MainReopener* reopener = nullptr) {
    EngineParts parts;
    parts.main = &main;
    parts.spares = {spare_door != nullptr ? spare_door : &spare};
    if (spare_reopener != nullptr) parts.spare_reopeners = {spare_reopener};
    parts.store = with;
    parts.observer = &events;
    parts.reopener = reopener;
    parts.clock = clock;
    parts.watch_pauses = clock == &system_clock();
    parts.rearm_interval_ms = 1;
    parts.evidence = evidence;
    parts.evidence_interval_ms = evidence_interval_ms;
    parts.main_settled = main_settled;
    parts.memory = memory;
    parts.left = left;
    parts.main_read_only = main_read_only;
    parts.recheck_rounds = recheck_rounds;
    parts.spare_look_interval_ms = spare_look_interval_ms;
    parts.direct = direct;
    auto started = Engine::start(parts, content);
    ASSERT_TRUE(started) << started.error().message();
    engine = std::move(*started);
  }
  void start_read_only() {
    const auto survey = metadata::survey(spare);
    ASSERT_TRUE(survey && survey->content);
    content = *survey->content;
    start_with(nullptr);
  }
  void stop() {
    if (engine) engine->stop();
    engine.reset();
    store.reset();
  }
  void restart() {
    stop();
    start();
  }

  int write(std::uint64_t first, std::uint64_t count, int fill, bool fua = false) {
    return engine->write({first}, pattern(count, fill), fua).error;
  }
  // The fill of all sectors, or -errno, or -1000 if they are mixed.
  int read(std::uint64_t first, std::uint64_t count = 1) {
    auto out = pattern(count, 0xee);
    const io::IoStatus status = engine->read({first}, out);
    if (!status.ok()) return -status.error;
    const bool uniform = std::ranges::all_of(out, [&](std::byte b) { return b == out[0]; });
    return uniform ? std::to_integer<int>(out[0]) : -1000;
  }
  // Main loses the newest version of a good sector from its cache, and says so at a flush. Clears
  // main's faults.
  void make_gone(std::uint64_t sector) {
    EXPECT_EQ(write(sector, main.geometry().unit().value, 99), 0);
    main.fail_reads({{sector}, {1}}, EIO);
    main.set_hook([](const sim::Request& request) {
      return io::IoStatus{request.kind == sim::Request::Kind::flush ? EIO : 0};
    });
    EXPECT_EQ(engine->flush().error, EIO);
    main.set_hook({});
    main.clear_faults();
    EXPECT_EQ(engine->flush().error, 0);
    EXPECT_EQ(read(sector), -EIO);
  }
  [[nodiscard]] int on_main(std::uint64_t sector) const {
    return std::to_integer<int>(main.contents()[sector * kSectorBytes]);
  }
  [[nodiscard]] TableCounts table() const { return engine->table_counts(); }
  [[nodiscard]] std::vector<SectorRange> in_state(format::State state) const {
    std::vector<SectorRange> out;
    for (const format::Extent& extent : engine->extents()) {
      if (extent.state() == state) out.push_back(extent.main());
    }
    return out;
  }
  [[nodiscard]] SectorRange spare_of(std::uint64_t sector) const {
    for (const format::Extent& extent : engine->extents()) {
      if (extent.main().contains(Sector{sector}))
        return extent.slice({{sector}, {1}}).spare().sectors();
    }
    return {};
  }

  // Of the 4 KiB block at the sector, as main holds it now.
  [[nodiscard]] BlockHash block_hash(std::uint64_t first) const {
    const std::vector<std::byte> contents = main.contents();
    const SectorRange block{{first}, {8}};
    return {block, hash_of(std::span(contents).subspan(block.first.byte_offset(), 4096))};
  }

  [[nodiscard]] std::vector<SectorRange> metadata_areas() const {
    return format::reserved_ranges(spare.geometry().size);
  }
  // Where user data may lie on the spare, in order.
  [[nodiscard]] std::vector<SectorRange> data_areas() const {
    std::vector<SectorRange> out;
    Sector at{0};
    for (const SectorRange& area : metadata_areas()) {
      if (at < area.first) out.push_back({at, area.first - at});
      at = area.end();
    }
    out.push_back({at, Sector{} + spare.geometry().size - at});
    return out;
  }

  sim::SimDevice main;
  sim::SimDevice spare;
  format::Content content;
  SeededRandom random;
  EventList events;
  io::BlockDevice* spare_door = nullptr;  // in place of `spare`, if it is not always that
  SpareReopener* spare_reopener = nullptr;
  std::uint32_t spare_look_interval_ms = 3'600'000;  // never, in the time of a test
  Clock* clock = &system_clock();
  std::vector<BlockHash> evidence;         // known at the next start
  std::uint32_t evidence_interval_ms = 0;  // nothing is read in the background
  bool main_settled = true;
  bool main_read_only = false;  // is opened so
  RecheckRounds* recheck_rounds = nullptr;
  std::span<std::byte> memory;
  std::optional<UnflushedLeft> left;
  DirectPath* direct = nullptr;
  std::unique_ptr<metadata::Store> store;
  std::unique_ptr<Engine> engine;
};

// The power of a started rig goes at a write or flush of either device, counted from 0: that and
// all that come after fail, reads too.
class PowerCut {
 public:
  PowerCut(Rig& rig, std::uint64_t at) : rig_(rig), at_(at) {
    const auto cut = [this](const sim::Request& request) -> io::IoStatus {
      if (request.kind == sim::Request::Kind::read) return {steps_ > at_ ? ENODEV : 0};
      return {steps_++ >= at_ ? ENODEV : 0};
    };
    rig.main.set_hook(cut);
    rig.spare.set_hook(cut);
  }
  PowerCut(const PowerCut&) = delete;
  PowerCut& operator=(const PowerCut&) = delete;

  // Has it not gone yet?
  [[nodiscard]] bool is_ahead() const { return steps_ <= at_; }
  // The power is back, and the set is started; of what was unflushed every other cut keeps all.
  void restart() {
    rig_.stop();
    rig_.main.set_hook({});
    rig_.spare.set_hook({});
    const bool keep = at_ % 2 == 0;
    rig_.main.power_cut([&](const sim::Request&, Sector) { return keep; });
    rig_.spare.power_cut([&](const sim::Request&, Sector) { return keep; });
    rig_.start();
  }

 private:
  Rig& rig_;
  const std::uint64_t at_;
  std::atomic<std::uint64_t> steps_{0};
};

// A store that keeps its commits in memory and fails on command.
class FakeStore final : public metadata::Store {
 public:
  Result<metadata::CommitName> commit(const format::Records& records,
                                      const table::Table& table) override {
    if (before) before();
    if (fail_with != ErrorCode::internal) return dmremap::fail(fail_with, "on command");
    if (table.size() + table.retired().size() > capacity) {
      return dmremap::fail(ErrorCode::metadata_full, "full");
    }
    static_cast<format::Records&>(last) = records;
    last.extents = table.extents();
    last.retired = table.retired();
    ++name.sequence;
    return name;
  }
  Result<void> check_alone() override {
    if (alone) return {};
    reason = "somebody else";
    return dmremap::fail(ErrorCode::metadata_commit, reason);
  }
  metadata::CommitName current() const override { return name; }
  metadata::CopyCount copies() const override { return {8, 8}; }
  std::string read_only_reason() const override { return reason; }

  std::function<void()> before;
  bool alone = true;
  ErrorCode fail_with = ErrorCode::internal;  // internal: none
  std::size_t capacity = 10'000;
  std::string reason;
  format::Content last;
  metadata::CommitName name;
};

}  // namespace dmremap::remap
