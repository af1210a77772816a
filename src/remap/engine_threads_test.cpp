// SPDX-License-Identifier: GPL-2.0-or-later
// Many clients, overlapping requests, faults that come and go, relocations: every read must return
// a value that some order of the writes allows. Meant for ThreadSanitizer too.
#include <cstring>
#include <random>
#include <thread>

#include "rig/engine_rig.hpp"
#include "table/live_table.hpp"

namespace dmremap::remap {
namespace {

constexpr std::uint64_t kArea = 6'144;      // sectors that the clients use: three regions
constexpr std::uint64_t kRegions = 16'384;  // eight of a mebibyte
constexpr std::uint64_t kNever = ~std::uint64_t{0};

// What was written to one sector, when; times are ticks of one counter. A failed write may take
// effect at any time after it began, so it never ends.
class History {
 public:
  struct Write {
    std::uint64_t stamp = 0;
    std::uint64_t begun = 0;
    std::uint64_t ended = kNever;
  };

  void begin(std::uint64_t stamp, std::uint64_t now) {
    const std::lock_guard lock(mutex_);
    writes_.push_back({stamp, now, kNever});
  }
  void end(std::uint64_t stamp, std::uint64_t now) {
    const std::lock_guard lock(mutex_);
    for (Write& write : writes_) {
      if (write.stamp == stamp) write.ended = now;
    }
  }
  // May a read that ran from `begun` to now have returned `stamp`?
  [[nodiscard]] bool allows(std::uint64_t stamp, std::uint64_t begun) const {
    const std::lock_guard lock(mutex_);
    return std::ranges::any_of(writes_, [&](const Write& seen) {
      return seen.stamp == stamp && std::ranges::none_of(writes_, [&](const Write& other) {
               return other.begun > seen.ended && other.ended < begun;
             });
    });
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Write> writes_{{0, 0, 0}};  // as the disk was
};

class Stress {
 public:
  Stress() : histories_(kArea) {
    rig.main.poke({0}, pattern(kMainSize.value, 0));
    rig.start();
  }

  void client(unsigned seed) {
    std::mt19937_64 random(seed);
    for (int i = 0; i < 500; ++i) {
      const std::uint64_t count = 1 + random() % 24;
      const std::uint64_t first = random() % (kArea - count);
      switch (random() % 10) {
        case 0:
          EXPECT_TRUE(rig.engine->flush().ok());
          break;
        case 1:
          (void)rig.engine->relocate({{first}, {count}});
          break;
        case 2:
        case 3:
        case 4:
          read(first, count);
          break;
        case 5:
          zero(first, count);
          break;
        default:
          write(first, count, random() % 8 == 0);
      }
    }
  }

  // Faults of main come and go, and single spare sectors go bad for reading.
  void weather(const std::atomic<bool>& over) {
    std::mt19937_64 random(99);
    while (!over) {
      const SectorRange bad{{random() % (kArea - 64)}, {1 + random() % 64}};
      switch (random() % 4) {
        case 0:
          rig.main.fail_reads(bad, random() % 2 == 0 ? EIO : ENODATA);
          break;
        case 1:
          rig.main.fail_writes(bad, random() % 2 == 0 ? EIO : ENODATA);
          break;
        case 2:
          rig.spare.fail_reads({{3072 + random() % 960}, {64}}, ENODATA);
          break;
        default:
          rig.main.clear_faults();
          rig.spare.clear_faults();
      }
      std::this_thread::sleep_for(std::chrono::microseconds(500));
    }
    rig.main.clear_faults();
    rig.spare.clear_faults();
  }

  // In calm: what is neither lost nor gone reads, and reads right.
  void check_all() {
    EXPECT_TRUE(soon([this] { return rig.table().failing == 0; }));
    const auto extents = rig.engine->extents();
    std::uint64_t failed = 0;
    for (std::uint64_t s = 0; s < kArea; ++s) failed += read(s, 1) ? 0U : 1U;
    EXPECT_EQ(failed, rig.table().lost + rig.table().gone);
    EXPECT_EQ(extents, rig.engine->extents());
  }

  Rig rig;

 private:
  using Stamped = std::vector<std::byte>;

  void write(std::uint64_t first, std::uint64_t count, bool fua) {
    const std::uint64_t stamp = ++clock_;
    Stamped data(count * kSectorBytes);
    for (std::uint64_t s = 0; s < count; ++s) put(data, s, stamp);
    const bool done =
        announced(first, count, stamp, [&] { return rig.engine->write({first}, data, fua).ok(); });
    EXPECT_TRUE(done) << "nothing was full, a write must find a place";
  }
  // Zeros are no stamp: the stamp 0 with its own history entry per sector would not be unique, so a
  // zeroed range is written over at once.
  void zero(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t stamp = ++clock_;
    for (std::uint64_t s = first; s < first + count; ++s) histories_[s].begin(0, clock_.load());
    (void)rig.engine->write_zeroes({{first}, {count}});
    Stamped data(count * kSectorBytes);
    for (std::uint64_t s = 0; s < count; ++s) put(data, s, stamp);
    (void)announced(first, count, stamp,
                    [&] { return rig.engine->write({first}, data, false).ok(); });
  }
  template <typename Act>
  bool announced(std::uint64_t first, std::uint64_t count, std::uint64_t stamp, const Act& act) {
    for (std::uint64_t s = first; s < first + count; ++s) histories_[s].begin(stamp, stamp);
    const bool done = act();
    const std::uint64_t now = ++clock_;
    for (std::uint64_t s = first; s < first + count && done; ++s) histories_[s].end(stamp, now);
    return done;
  }
  bool read(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t begun = ++clock_;
    Stamped out(count * kSectorBytes);
    if (!rig.engine->read({first}, out).ok()) return false;
    for (std::uint64_t s = 0; s < count; ++s) {
      const std::uint64_t stamp = get(out, s);
      EXPECT_TRUE(histories_[first + s].allows(stamp, begun))
          << "sector " << first + s << " reads " << stamp;
    }
    return true;
  }
  static void put(Stamped& data, std::uint64_t sector, std::uint64_t stamp) {
    for (std::size_t i = 0; i < kSectorBytes; i += sizeof stamp) {
      std::memcpy(data.data() + sector * kSectorBytes + i, &stamp, sizeof stamp);
    }
  }
  static std::uint64_t get(const Stamped& data, std::uint64_t sector) {
    std::uint64_t stamp = 0;
    std::memcpy(&stamp, data.data() + sector * kSectorBytes, sizeof stamp);
    for (std::size_t i = 0; i < kSectorBytes; i += sizeof stamp) {
      std::uint64_t other = 0;
      std::memcpy(&other, data.data() + sector * kSectorBytes + i, sizeof other);
      EXPECT_EQ(other, stamp) << "a sector is torn";
    }
    return stamp;
  }

  std::atomic<std::uint64_t> clock_{0};
  std::vector<History> histories_;
};

TEST(EngineThreads, EveryReadReturnsWhatSomeOrderOfTheWritesAllows) {
  Stress stress;
  std::atomic<bool> over{false};
  std::thread weather([&] { stress.weather(over); });
  TableCounts table;
  // Until every transition that the weather can cause has been seen; once is enough nearly always.
  for (unsigned round = 0; round < 50; ++round) {
    std::vector<std::thread> clients;
    for (unsigned i = 0; i < 6; ++i) {
      clients.emplace_back([&, i] { stress.client(round * 100 + i); });
    }
    for (std::thread& client : clients) client.join();
    table = stress.rig.table();
    if (table.remapped > 0 && table.spare_retired > 0 && table.lost + table.gone > 0) break;
  }
  over = true;
  weather.join();
  table = stress.rig.table();
  ASSERT_FALSE(stress.rig.engine->conditions().tripped);
  EXPECT_GT(table.remapped, 0U);
  EXPECT_GT(table.spare_retired, 0U);
  stress.check_all();
  EXPECT_TRUE(stress.rig.engine->flush().ok());
  stress.rig.restart();
  EXPECT_EQ(stress.rig.table().remapped, table.remapped);
  stress.check_all();
}

TEST(SnapshotThreads, AReaderNeverSeesAFreedTableAndAWriterWaitsForThoseWhoCameBefore) {
  table::LiveTable live({kRegions}, table::Table(), system_scheduling());
  std::atomic<bool> over{false};
  std::vector<std::thread> readers;
  // A sector is lost exactly while its number is in `marked`; a reader that holds a pin from before
  // a drain has ended by then.
  std::atomic<std::uint64_t> looks{0};
  for (unsigned t = 0; t < 3; ++t) {
    readers.emplace_back([&, t] {
      std::mt19937_64 random(t);
      while (!over) {
        const SectorRange range{{random() % (kRegions - 8)}, {8}};
        const auto pin = live.pin(range);
        if (!live.clean(range)) {
          const table::Snapshot& now = live.snapshot();
          looks += now.table.any(range) || now.held(range) ? 1U : 0U;
        }
      }
    });
  }
  std::mt19937_64 random(5);
  table::Table table;
  for (int i = 0; i < 2'000; ++i) {
    const SectorRange range{{random() % (kRegions - 8)}, {8}};
    if (i % 10 == 0) {
      const auto hold = live.hold({range});
      EXPECT_TRUE(live.drain(hold, system_clock(), ~std::uint64_t{0}));
    }
    const format::Extent lost(format::State::lost, range);
    const bool mark = random() % 2 == 0;
    table = table.replaced(range, mark ? std::span<const format::Extent>{&lost, 1}
                                       : std::span<const format::Extent>{});
    live.publish(table, {&range, 1});
  }
  over = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(looks, 0U);
}

}  // namespace
}  // namespace dmremap::remap
