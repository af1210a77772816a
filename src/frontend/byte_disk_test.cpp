// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/byte_disk.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <future>
#include <optional>
#include <random>
#include <semaphore>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "tests/fuse/ram_disk.hpp"

namespace dmremap::frontend {
namespace {

using fuse::RamDisk;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::uint64_t kDiskBytes = 4 * kMiB;
constexpr std::size_t kMaxRequestBytes = kMiB;

io::Geometry geometry(std::uint32_t unit_bytes) {
  return {.size = SectorCount::from_bytes(kDiskBytes),
          .logical_block_bytes = unit_bytes,
          .physical_block_bytes = 4096};
}

class Memory {
 public:
  explicit Memory(std::size_t unit_bytes)
      : payload_(kMaxRequestBytes + 2 * unit_bytes), edge_(unit_bytes) {}
  [[nodiscard]] std::span<std::byte> payload() { return payload_.span(); }
  [[nodiscard]] Scratch scratch() { return {payload_.span(), edge_.span()}; }

 private:
  AlignedBuffer payload_;
  AlignedBuffer edge_;
};

SectorRange sectors(std::uint64_t first, std::uint64_t count) {
  return {{first}, {count}};
}

std::vector<std::byte> filled(std::size_t bytes, int with) {
  return std::vector<std::byte>(bytes, static_cast<std::byte>(with));
}

// A disk with blocks of the parameter's size, holding the pattern byte = offset mod 251.
class ByteDiskTest : public testing::TestWithParam<std::uint32_t> {
 protected:
  ByteDiskTest() {
    for (std::size_t i = 0; i < kDiskBytes; ++i) engine.bytes()[i] = std::byte(i % 251);
    before.assign(engine.bytes().begin(), engine.bytes().end());
  }

  [[nodiscard]] bool is_untouched() { return std::ranges::equal(engine.bytes(), before); }

  std::uint32_t unit = GetParam();
  RamDisk engine{geometry(unit)};
  ByteDisk disk{engine};
  Memory memory{unit};
  std::vector<std::byte> before;
};

INSTANTIATE_TEST_SUITE_P(Block, ByteDiskTest, testing::Values(512U, 4096U, 65536U));

TEST_P(ByteDiskTest, AnyOffsetAndLengthBehavesAsAFileOfBytes) {
  std::mt19937_64 random(unit);
  std::vector<std::byte> model = before;
  for (int round = 0; round < 2000; ++round) {
    const std::size_t longest = round % 10 == 0 ? kMaxRequestBytes : std::size_t{3} * unit;
    std::uint64_t offset = random() % (kDiskBytes + unit);
    std::size_t length = 1 + random() % longest;
    if (round % 4 == 0) offset = align_down(offset, unit);
    if (round % 8 == 0) length = std::min<std::size_t>(align_up(length, unit), kMaxRequestBytes);
    const std::uint64_t room = offset < kDiskBytes ? kDiskBytes - offset : 0;
    const std::size_t fits = std::min<std::uint64_t>(length, room);
    switch (random() % 3) {
      case 0: {
        const auto got = disk.read(offset, length, memory.scratch());
        ASSERT_EQ(got.error, 0);
        ASSERT_EQ(got.bytes.size(), fits);
        ASSERT_TRUE(std::equal(got.bytes.begin(), got.bytes.end(),
                               model.data() + std::min(offset, kDiskBytes)));
        break;
      }
      case 1: {
        // As it arrives: in the payload of the thread's own memory.
        const auto data = memory.payload().first(length);
        for (auto& byte : data) byte = static_cast<std::byte>(random());
        if (room > 0) std::copy_n(data.begin(), fits, model.data() + offset);
        const auto put = disk.write(offset, data, false, memory.scratch());
        ASSERT_EQ(put.error, room > 0 ? 0 : ENOSPC);
        ASSERT_EQ(put.bytes, fits);
        break;
      }
      default:
        if (room > 0) std::fill_n(model.data() + offset, fits, std::byte{0});
        ASSERT_EQ(disk.write_zeroes(offset, length, memory.scratch()), 0);
    }
    if (round % 100 == 0) {
      ASSERT_TRUE(std::ranges::equal(engine.bytes(), model)) << round;
    }
  }
  EXPECT_TRUE(std::ranges::equal(engine.bytes(), model));
}

TEST_P(ByteDiskTest, AWholeRequestGoesThroughWithoutACopy) {
  EXPECT_EQ(disk.read(0, kMaxRequestBytes, memory.scratch()).bytes.size(), kMaxRequestBytes);
  EXPECT_EQ(disk.write(unit, memory.payload().first(unit), false, memory.scratch()).error, 0);
  EXPECT_EQ(engine.misaligned(), 0U);
  EXPECT_EQ(engine.counts().reads, 1U);
  EXPECT_EQ(engine.counts().writes, 1U);
}

TEST_P(ByteDiskTest, OneBadSectorFailsTheWholeReadWithEioWhateverTheDeviceSaid) {
  engine.change_faults([](auto& faults) { faults.read = {sectors(128, 1)}; });  // ENODATA
  const auto got = disk.read(0, kMaxRequestBytes, memory.scratch());
  EXPECT_EQ(got.error, EIO);
  EXPECT_TRUE(got.bytes.empty());
  EXPECT_EQ(disk.read(128 * 512 + 100, 10, memory.scratch()).error, EIO);
}

TEST_P(ByteDiskTest, AFailedWriteOrFlushIsEioWhateverTheDeviceSaid) {
  for (const int error : {EIO, EROFS, ENOSPC, ENODEV, EOPNOTSUPP}) {
    engine.change_faults([&](auto& faults) {
      faults.write = {sectors(0, 1)};
      faults.write_error = error;
      faults.flush_error = error;
    });
    remap::FlushHeard heard;
    EXPECT_EQ(disk.write(0, memory.payload().first(unit), false, memory.scratch()).error, EIO);
    EXPECT_EQ(disk.write(3, memory.payload().first(5), false, memory.scratch()).error, EIO);
    EXPECT_EQ(disk.flush_for(heard), EIO);
  }
  EXPECT_TRUE(is_untouched());
}

TEST_P(ByteDiskTest, PartOfABlockThatCannotBeReadIsNotWritten) {
  engine.change_faults([](auto& faults) { faults.read = {sectors(0, 1)}; });
  EXPECT_EQ(disk.write(3, filled(5, 1), false, memory.scratch()).error, EIO);
  EXPECT_EQ(disk.write_zeroes(3, 5, memory.scratch()), EIO);
  EXPECT_TRUE(is_untouched());
}

TEST_P(ByteDiskTest, ZeroingThatIsNotSupportedPassesUpAndChangesNothing) {
  engine.change_faults([](auto& faults) { faults.lost = {sectors(256, 1)}; });
  EXPECT_EQ(disk.write_zeroes(100, kMiB, memory.scratch()), EOPNOTSUPP);
  EXPECT_TRUE(is_untouched());
}

TEST_P(ByteDiskTest, ForcedUnitAccessReachesTheEngine) {
  EXPECT_EQ(disk.write(0, memory.payload().first(unit), true, memory.scratch()).error, 0);
  EXPECT_EQ(disk.write(1, memory.payload().first(1), true, memory.scratch()).error, 0);
  EXPECT_EQ(engine.fua_writes(), 2U);
}

// Answers every read later.
class LaterEngine final : public RamDisk {
 public:
  using RamDisk::RamDisk;
  std::optional<io::IoStatus> read_or_later(Sector first, std::span<std::byte> out,
                                            const Later& answer,
                                            remap::RequestTimer* /*timer*/) override {
    asked = {first, SectorCount::from_bytes(out.size())};
    later = answer;
    return std::nullopt;
  }
  SectorRange asked;
  Later later;
};

TEST(ByteDiskLater, OnlyReadsOfWholeBlocksAreAnsweredLaterAndNeverPastTheEnd) {
  constexpr std::uint32_t kUnit = 4096;
  LaterEngine engine(geometry(kUnit));
  ByteDisk disk(engine);
  Memory memory(kUnit);
  std::size_t answered = 0;
  const auto answer = [&](io::IoStatus, std::span<const std::byte> bytes) {
    answered = bytes.size();
  };
  const auto part = disk.read_or_later(1, 10, memory.scratch(), answer);
  ASSERT_TRUE(part);
  EXPECT_EQ(part->bytes.size(), 10U);
  const std::size_t beyond = std::size_t{4} * kUnit;
  EXPECT_FALSE(disk.read_or_later(kDiskBytes - kUnit, beyond, memory.scratch(), answer));
  EXPECT_EQ(engine.asked, sectors((kDiskBytes - kUnit) / kSectorBytes, kUnit / kSectorBytes));
  engine.later({}, memory.payload().first(kUnit));
  EXPECT_EQ(answered, kUnit);
  EXPECT_TRUE(disk.read_or_later(kDiskBytes, kUnit, memory.scratch(), answer));
}

// Stops the first write to block 0 before it reaches the memory.
class PausingEngine final : public RamDisk {
 public:
  using RamDisk::RamDisk;
  io::IoStatus write(Sector first, std::span<const std::byte> data, bool fua,
                     remap::RequestTimer* timer) override {
    if (first == Sector{0} && !paused_.exchange(true)) {
      at_write.release();
      go_on.acquire();
    }
    return RamDisk::write(first, data, fua, timer);
  }
  std::binary_semaphore at_write{0};
  std::binary_semaphore go_on{0};

 private:
  std::atomic<bool> paused_{false};
};

constexpr std::uint32_t kUnit = 4096;

void expect_whole_write_stays(PausingEngine& engine, ByteDisk& by_part, ByteDisk& by_whole) {
  // It has read the block's zeros by the time it is stopped.
  auto part = std::async(std::launch::async, [&] {
    Memory memory(kUnit);
    return by_part.write(1, filled(1, 0xaa), false, memory.scratch()).error;
  });
  engine.at_write.acquire();
  auto whole = std::async(std::launch::async, [&] {
    Memory memory(kUnit);
    return by_whole.write(0, filled(kUnit, 0xbb), false, memory.scratch()).error;
  });
  whole.wait_for(milliseconds(100));
  engine.go_on.release();
  EXPECT_EQ(part.get(), 0);
  EXPECT_EQ(whole.get(), 0);
  // Whichever came last, the rest of the block is the whole write's.
  EXPECT_EQ(engine.bytes()[100], std::byte{0xbb});
}

TEST(ByteDiskGate, WritingPartOfABlockDoesNotUndoAWriteToAllOfIt) {
  PausingEngine engine(geometry(kUnit));
  ByteDisk disk(engine);
  expect_whole_write_stays(engine, disk, disk);
}

TEST(ByteDiskGate, NorThroughAnotherFrontEndOfTheSameDisk) {
  PausingEngine engine(geometry(kUnit));
  const auto gate = std::make_shared<WriteGate>();
  ByteDisk disk(engine, gate);
  ByteDisk other(engine, gate);
  expect_whole_write_stays(engine, disk, other);
}

using Access = WriteGate::Access;

// Whether a pass for [first, end) is had while another one is held.
bool is_had_beside(Access held, Access wanted, std::uint64_t first, std::uint64_t end) {
  WriteGate gate;
  std::optional<WriteGate::Pass> here;
  here.emplace(gate, held, 4096, 8192);
  auto other =
      std::async(std::launch::async, [&] { const WriteGate::Pass pass(gate, wanted, first, end); });
  const bool had = other.wait_for(milliseconds(100)) == std::future_status::ready;
  here.reset();
  other.get();
  return had;
}

TEST(WriteGate, OnlyOverlappingRangesOfWhichOneIsExclusiveWait) {
  EXPECT_TRUE(is_had_beside(Access::shared, Access::shared, 4096, 8192));
  EXPECT_FALSE(is_had_beside(Access::shared, Access::exclusive, 8191, 8192));
  EXPECT_FALSE(is_had_beside(Access::exclusive, Access::shared, 0, 4097));
  EXPECT_FALSE(is_had_beside(Access::exclusive, Access::exclusive, 5000, 5001));
  EXPECT_TRUE(is_had_beside(Access::exclusive, Access::shared, 0, 4096));
  EXPECT_TRUE(is_had_beside(Access::exclusive, Access::exclusive, 8192, 9000));
  EXPECT_TRUE(is_had_beside(Access::shared, Access::exclusive, 8192, 9000));
}

TEST(WriteGate, ASteadyStreamOfSharersDoesNotStarveTheExclusiveOne) {
  WriteGate gate;
  std::atomic<bool> done{false};
  std::vector<std::thread> sharers;
  sharers.reserve(4);
  for (int i = 0; i < 4; ++i) {
    sharers.emplace_back([&] {
      while (!done.load()) {
        const WriteGate::Pass pass(gate, Access::shared, 0, 4096);
        std::this_thread::sleep_for(milliseconds(2));
      }
    });
  }
  std::this_thread::sleep_for(milliseconds(20));
  auto turn = std::async(std::launch::async,
                         [&] { const WriteGate::Pass pass(gate, Access::exclusive, 0, 512); });
  const bool had_it = turn.wait_for(seconds(10)) == std::future_status::ready;
  done.store(true);
  for (auto& sharer : sharers) sharer.join();
  EXPECT_TRUE(had_it);
}

TEST(WriteGate, NoTwoPassesThatConflictAreHeldAtOnce) {
  constexpr std::uint64_t kBlocks = 4;
  constexpr int kExclusive = 1'000;
  WriteGate gate;
  std::array<std::atomic<int>, kBlocks> held{};
  std::atomic<int> conflicts{0};
  const auto run = [&](unsigned seed) {
    std::mt19937 random(seed);
    for (int i = 0; i < 4'000; ++i) {
      const bool alone = random() % 4 == 0;
      const std::uint64_t first = random() % kBlocks;
      const std::uint64_t end = alone ? first + 1 : first + 1 + random() % (kBlocks - first);
      const WriteGate::Pass pass(gate, alone ? Access::exclusive : Access::shared, first * 4096,
                                 end * 4096);
      for (std::uint64_t b = first; b < end; ++b) {
        const int before = held[b].fetch_add(alone ? kExclusive : 1);
        if (alone ? before != 0 : before >= kExclusive) ++conflicts;
      }
      if (random() % 8 == 0) std::this_thread::yield();
      for (std::uint64_t b = first; b < end; ++b) held[b].fetch_sub(alone ? kExclusive : 1);
    }
  };
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (unsigned seed = 0; seed < 4; ++seed) threads.emplace_back(run, seed);
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(conflicts.load(), 0);
}

TEST(ByteDiskGate, APartOfABadBlockThatTakesLongHoldsUpNoWriteElsewhere) {
  PausingEngine engine(geometry(kUnit));
  ByteDisk disk(engine);
  auto part = std::async(std::launch::async, [&] {
    Memory memory(kUnit);
    return disk.write(1, filled(1, 0xaa), false, memory.scratch()).error;
  });
  engine.at_write.acquire();
  auto whole = std::async(std::launch::async, [&] {
    Memory memory(kUnit);
    return disk.write(kUnit, filled(kUnit, 0xbb), false, memory.scratch()).error;
  });
  EXPECT_EQ(whole.wait_for(seconds(10)), std::future_status::ready);
  engine.go_on.release();
  EXPECT_EQ(part.get(), 0);
  EXPECT_EQ(whole.get(), 0);
}

}  // namespace
}  // namespace dmremap::frontend
