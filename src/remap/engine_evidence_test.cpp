// SPDX-License-Identifier: GPL-2.0-or-later
// Main is taken back only if it holds what it held (promises 1 and 8), and what is not certain
// keeps no right disk away.
#include <thread>

#include "remap/engine_memory.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

using format::EventKind;

constexpr std::uint64_t kFar = 30'000UL / 8UL * 8UL;  // another region than the writes of the tests

class EngineEvidence : public ::testing::Test {
 protected:
  // A device that has what main has now.
  std::unique_ptr<sim::SimDevice> clone(const std::string& name = "clone") {
    auto out = std::make_unique<sim::SimDevice>(rig.main.geometry(), name);
    out->poke({0}, rig.main.contents());
    return out;
  }
  void start() { rig.start(&reopener); }
  void unplug() {
    rig.main.set_hook([](const sim::Request&) -> io::IoStatus { return {ENODEV}; });
    EXPECT_LT(rig.read(5'000, 8), 0);
    ASSERT_TRUE(rig.engine->conditions().tripped);
  }
  void replug() { rig.main.set_hook({}); }
  [[nodiscard]] bool taken() {
    return soon([this] { return !rig.engine->conditions().tripped; });
  }
  // The reopener found it more than once, and the engine did not take it.
  [[nodiscard]] bool left_alone() {
    const int before = reopener.refused;
    return soon([&] { return reopener.refused > before + 2; }) && rig.engine->conditions().tripped;
  }
  [[nodiscard]] std::string reason() { return rig.engine->conditions().reason; }
  // Until the background has found evidence of it, and all that it samples at first.
  [[nodiscard]] bool has_evidence_of(std::uint64_t sector) {
    return soon([&] {
      return std::ranges::any_of(rig.engine->evidence(), [sector](const BlockHash& known) {
        return known.block.contains(Sector{sector});
      });
    });
  }

  Rig rig;
  Reopener reopener;
};

TEST_F(EngineEvidence, Promise8_AStaleCloneIsNotTakenForMain) {
  rig.evidence_interval_ms = 1;
  start();
  const auto stale = clone();
  ASSERT_EQ(rig.write(9'000, 8, 2), 0);
  ASSERT_EQ(rig.engine->flush().error, 0);
  ASSERT_TRUE(has_evidence_of(9'000));
  unplug();
  reopener.device = stale.get();
  EXPECT_TRUE(left_alone());
  EXPECT_NE(reason().find("clone is there"), std::string::npos) << reason();
  EXPECT_NE(reason().find("sector 9000 holds other data"), std::string::npos) << reason();
  EXPECT_EQ(rig.events.count(EventKind::trip), 2U) << "one for the trip, one for the clone";
  EXPECT_LT(rig.read(9'000, 8), 0) << "promise 1";
  EXPECT_EQ(stale->counters().writes, 0U);
  replug();
  reopener.device = &rig.main;
  EXPECT_TRUE(taken());
  EXPECT_EQ(rig.read(9'000, 8), 2);
  EXPECT_EQ(reason(), "");
}

TEST_F(EngineEvidence, Promise8_ADiskThatWasChangedElsewhereIsNotTakenBack) {
  rig.evidence_interval_ms = 1;
  start();
  ASSERT_TRUE(has_evidence_of(128)) << "where btrfs has its superblock";
  unplug();
  const std::vector<std::byte> before = rig.main.contents();
  rig.main.poke({130}, pattern(1, 9));
  replug();
  reopener.device = &rig.main;
  EXPECT_TRUE(left_alone()) << "the same handle that main had all along";
  rig.main.poke({0}, before);
  EXPECT_TRUE(taken());
}

TEST_F(EngineEvidence, Promise8_WithoutProofNothingIsTaken) {
  start();  // no evidence
  unplug();
  replug();
  reopener.device = &rig.main;
  EXPECT_TRUE(left_alone());
  EXPECT_NE(reason().find("nothing proves"), std::string::npos) << reason();
}

TEST_F(EngineEvidence, Promise8_EvidenceThatCannotBeReadProvesNothing) {
  rig.evidence = {rig.block_hash(kFar)};
  start();
  unplug();
  replug();
  rig.main.fail_reads({{kFar}, {1}}, EIO);
  reopener.device = &rig.main;
  EXPECT_TRUE(left_alone());
  rig.main.clear_faults();
  EXPECT_TRUE(taken());
}

TEST_F(EngineEvidence, Promise8_EvidenceOfTheRunBeforeCounts) {
  rig.evidence = {rig.block_hash(kFar)};
  rig.main.poke({kFar}, pattern(8, 9));
  start();
  unplug();
  replug();
  reopener.device = &rig.main;
  EXPECT_TRUE(left_alone());
}

TEST_F(EngineEvidence, Promise13_ADeviceThatTheReopenerRefusesIsNamed) {
  rig.evidence = {rig.block_hash(kFar)};
  start();
  unplug();
  EXPECT_EQ(reason(), "main gives ENODEV");
  reopener.error = ErrorCode::wrong_main;
  ASSERT_TRUE(soon([&] { return reason() != "main gives ENODEV"; }));
  EXPECT_EQ(reason(), "main gives ENODEV; not back yet");
  EXPECT_EQ(rig.events.count(EventKind::trip), 2U);
  reopener.error = ErrorCode::missing_device;
  EXPECT_TRUE(soon([&] { return reason() == "main gives ENODEV"; }));
  EXPECT_EQ(rig.events.count(EventKind::trip), 2U);
}

TEST_F(EngineEvidence, AWriteVoidsWhatItMayHaveChanged) {
  rig.evidence = {rig.block_hash(0), rig.block_hash(kFar)};
  start();
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  unplug();
  replug();
  reopener.device = &rig.main;
  EXPECT_TRUE(taken()) << reason();
  EXPECT_EQ(rig.engine->evidence(), (std::vector<BlockHash>{rig.evidence[1]}));
}

// Acknowledged, or refused by a main that was going, or an unmap: the disk holds the new contents.
TEST_F(EngineEvidence, FailedWritesZeroesAndDiscardsVoidToo) {
  for (const auto kind :
       {sim::Request::Kind::write, sim::Request::Kind::write_zeroes, sim::Request::Kind::discard}) {
    rig.evidence = {rig.block_hash(0), rig.block_hash(kFar)};
    start();
    rig.main.set_hook([this, kind](const sim::Request& request) -> io::IoStatus {
      if (request.kind != kind) return {0};
      rig.main.poke({0}, pattern(8, 7));
      return {ENODEV};
    });
    if (kind == sim::Request::Kind::write) {
      EXPECT_NE(rig.write(0, 8, 2), 0);
    } else if (kind == sim::Request::Kind::discard) {
      EXPECT_NE(rig.engine->discard({{0}, {8}}).error, 0);
    } else {
      EXPECT_NE(rig.engine->write_zeroes({{0}, {8}}).error, 0);
    }
    EXPECT_TRUE(rig.engine->conditions().tripped);
    replug();
    reopener.device = &rig.main;
    EXPECT_TRUE(taken()) << reason();
    rig.stop();
  }
}

TEST_F(EngineEvidence, ADiscardThatWasDoneVoids) {
  rig.evidence = {rig.block_hash(0), rig.block_hash(kFar)};
  start();
  EXPECT_EQ(rig.engine->discard({{0}, {8}}).error, 0);
  EXPECT_EQ(rig.engine->evidence(), (std::vector<BlockHash>{rig.evidence[1]}));
}

TEST_F(EngineEvidence, AHangingWriteVoidsAndHoldsUpNothing) {
  rig.evidence = {rig.block_hash(0), rig.block_hash(kFar)};
  start();
  std::atomic<bool> hangs{false};
  std::atomic<bool> go{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::write) return {go ? 0 : ENODEV};
    rig.main.poke({0}, pattern(8, 7));
    hangs = true;
    while (!go) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    return {ENODEV};
  });
  std::thread writer([&] { (void)rig.write(0, 8, 2); });
  ASSERT_TRUE(soon([&] { return hangs.load(); }));
  EXPECT_LT(rig.read(5'000, 8), 0);
  // Another way to the same disk.
  const auto same = clone("the same disk");
  reopener.device = same.get();
  EXPECT_TRUE(taken()) << reason();
  reopener.device = nullptr;
  go = true;
  writer.join();
}

// While a flush is under way nobody knows what of the regions it covers would outlive main.
TEST_F(EngineEvidence, AFlushVoidsWhatItCovers) {
  rig.evidence = {rig.block_hash(0), rig.block_hash(kFar)};
  start();
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  std::vector<BlockHash> meanwhile;
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::flush) meanwhile = rig.engine->evidence();
    return {0};
  });
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(meanwhile, (std::vector<BlockHash>{rig.evidence[1]}));
  EXPECT_EQ(rig.engine->evidence(), meanwhile) << "and it is not evidence again afterwards";
}

TEST_F(EngineEvidence, WhatIsWrittenWhileItIsReadIsNoEvidence) {
  std::atomic<bool> started{false};
  std::atomic<bool> written{false};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    const bool sampled = request.kind == sim::Request::Kind::read &&
                         request.range.count.value == 8 && request.range.first == Sector{2'048};
    if (sampled && !written.exchange(true)) {
      while (!started) std::this_thread::sleep_for(std::chrono::milliseconds(1));
      // Written and flushed before the read is done, so that nothing shows it any more.
      std::thread user([&] {
        EXPECT_EQ(rig.write(2'048, 8, 5), 0);
        EXPECT_EQ(rig.engine->flush().error, 0);
      });
      user.join();
      rig.main.poke({2'048}, pattern(8, 1));  // so the read finds the former contents
    }
    return {0};
  });
  rig.evidence_interval_ms = 3'600'000;
  start();
  started = true;
  ASSERT_TRUE(soon([&] { return written.load(); }));
  ASSERT_TRUE(has_evidence_of(2'176)) << "sampled after it";
  for (const BlockHash& known : rig.engine->evidence()) {
    EXPECT_NE(known.block.first, Sector{2'048});
  }
}

// The metadata takes evidence along: with the records of the set, and else once a minute.
TEST_F(EngineEvidence, ARecordTakesTheEvidenceOfNowAlong) {
  FakeStore fake;
  rig.evidence = {rig.block_hash(0), rig.block_hash(kFar)};
  rig.start_with(&fake);
  ASSERT_TRUE(rig.engine->commit_record([](format::Records&, const table::Table&) {}));
  ASSERT_TRUE(fake.last.evidence);
  EXPECT_EQ(from_format(*fake.last.evidence), rig.evidence);
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  ASSERT_TRUE(rig.engine->relocate({{5'000}, {8}}));
  EXPECT_EQ(from_format(*fake.last.evidence), rig.evidence) << "not renewed within a minute";
  ASSERT_TRUE(rig.engine->commit_record([](format::Records&, const table::Table&) {}));
  EXPECT_EQ(from_format(*fake.last.evidence), (std::vector<BlockHash>{rig.evidence[1]}));
  ASSERT_EQ(rig.write(kFar, 8, 2), 0);
  ASSERT_TRUE(rig.engine->commit_record([](format::Records&, const table::Table&) {}));
  EXPECT_FALSE(fake.last.evidence) << "nothing is certain";
  rig.stop();
}

// Flash that takes writes, says that they are durable, and forgets them.
TEST_F(EngineEvidence, Promise13_AMainThatLosesWhatItFlushedIsACondition) {
  struct FastClock final : Clock {
    std::uint64_t monotonic_ns() override { return system_clock().monotonic_ns() * 1'000; }
    std::uint64_t wall_ns() override { return system_clock().wall_ns(); }
    std::uint64_t coarse_ns() override { return monotonic_ns(); }
  } fast;
  rig.clock = &fast;
  rig.evidence_interval_ms = 1;
  start();
  ASSERT_TRUE(has_evidence_of(128));
  EXPECT_EQ(rig.engine->conditions().contents_changed, "");
  for (const BlockHash& known : rig.engine->evidence())
    rig.main.poke(known.block.first, pattern(8, 9));
  ASSERT_TRUE(soon([&] {
    EXPECT_EQ(rig.write(9'000, 8, 2), 0);
    EXPECT_EQ(rig.engine->flush().error, 0);
    return !rig.engine->conditions().contents_changed.empty();
  }));
  EXPECT_EQ(rig.engine->conditions().contents_changed.find(
                "main returned other data than was written at sector"),
            0U);
  EXPECT_FALSE(rig.engine->conditions().tripped);
  EXPECT_EQ(rig.events.count(EventKind::degraded), 1U);
  rig.stop();  // before the clock goes
}

TEST_F(EngineEvidence, WhatMainMayForgetIsNoEvidenceBeforeAFlush) {
  rig.main_settled = false;  // as after a kill
  rig.evidence_interval_ms = 1;
  start();
  std::this_thread::sleep_for(std::chrono::milliseconds(30));
  EXPECT_TRUE(rig.engine->evidence().empty());
  EXPECT_EQ(rig.main.counters().flushes, 0U)
      << "only a user's flush may find that something is lost";
  ASSERT_EQ(rig.engine->flush().error, 0);
  EXPECT_TRUE(has_evidence_of(128));
}

TEST_F(EngineEvidence, WhatAFailedFlushCoveredIsNoEvidenceForTheRestOfTheRun) {
  rig.evidence = {rig.block_hash(kFar)};
  rig.evidence_interval_ms = 1;
  start();
  ASSERT_TRUE(has_evidence_of(128));
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  std::atomic<bool> fail{true};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::flush && fail ? EIO : 0};
  });
  EXPECT_NE(rig.engine->flush().error, 0);
  fail = false;
  ASSERT_EQ(rig.write(9'000, 8, 2), 0);
  EXPECT_EQ(rig.engine->flush().error, 0);
  ASSERT_TRUE(has_evidence_of(9'000));
  // As SimDevice has it: what a failed flush covered is never durable.
  rig.main.power_cut([](const sim::Request&, Sector) { return false; });
  EXPECT_EQ(rig.on_main(0), 1);
  unplug();
  replug();
  reopener.device = &rig.main;
  EXPECT_TRUE(taken()) << reason();
}

// What a front end asks whose requests outlive the engine: a flush that failed, and was not told to
// have failed when the engine was killed, must not succeed when it is asked for again.
TEST_F(EngineEvidence, Promise3_TheMemoryOfAKilledEngineSaysThatAFlushIsInDoubt) {
  AlignedBuffer memory(EngineMemory::bytes_for(kMainSize));
  rig.memory = memory.span();
  start();
  const auto in_doubt = [&] { return flush_in_doubt_after_kill(memory.span(), kMainSize); };
  EXPECT_FALSE(in_doubt());
  EXPECT_TRUE(flush_in_doubt_after_kill(memory.span(), {kMainSize.value * 4'096}));
  bool while_asked = false;
  io::IoStatus answer{EIO};
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::flush) return io::kIoOk;
    while_asked = in_doubt();
    return answer;
  });
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  EXPECT_NE(rig.engine->flush().error, 0);
  EXPECT_TRUE(while_asked);
  EXPECT_TRUE(in_doubt()) << "its user may not have been told when the engine is killed";
  answer = io::kIoOk;
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_FALSE(in_doubt());
}

// The flush of a FUA, of an unremap or of a healing takes the drive's only word of a failure as
// well as that of a user does.
TEST_F(EngineEvidence, Promise3_AFailedFlushOfAFuaIsInDoubtAfterAKillToo) {
  AlignedBuffer memory(EngineMemory::bytes_for(kMainSize));
  rig.memory = memory.span();
  start();
  const auto in_doubt = [&] { return flush_in_doubt_after_kill(memory.span(), kMainSize); };
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    return {request.kind == sim::Request::Kind::flush ? EIO : 0};
  });
  EXPECT_NE(rig.write(64, 8, 2, true), 0);
  EXPECT_TRUE(in_doubt()) << "the next flush of a user must fail, of a later engine, too";
  rig.main.set_hook({});
  EXPECT_NE(rig.engine->flush().error, 0) << "told now";
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_FALSE(in_doubt());
  EXPECT_EQ(rig.write(64, 8, 3, true), 0);
  EXPECT_FALSE(in_doubt());
}

// Ordering rule 5 of the kernel front ends: main's flush fails, the process is killed before it
// says so, and the flush that comes again would succeed, for the drive has given up what it failed
// to write.
TEST_F(EngineEvidence, Rule5_AFlushThatWasUnderWayAtAKillFailsWhenItComesAgain) {
  AlignedBuffer memory(EngineMemory::bytes_for(kMainSize));
  rig.memory = memory.span();
  start();
  UnflushedLeft at_kill;
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind != sim::Request::Kind::flush) return io::kIoOk;
    at_kill = unflushed_after_kill(memory.span(), kMainSize);
    return {EIO};
  });
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  ASSERT_EQ(rig.write(kFar, 8, 2), 0);
  (void)rig.engine->flush();
  rig.main.set_hook({});
  EXPECT_TRUE(at_kill.main_flush_in_doubt);
  EXPECT_FALSE(at_kill.spare_flush_in_doubt);
  ASSERT_EQ(at_kill.regions.size(), 2U);
  EXPECT_TRUE(at_kill.regions.front().contains(Sector{0}));
  EXPECT_TRUE(at_kill.regions.back().contains(Sector{kFar}));

  AlignedBuffer next(EngineMemory::bytes_for(kMainSize));
  rig.stop();
  rig.memory = next.span();
  rig.left = at_kill;
  rig.main.fail_reads({{0}, {8}}, ENODATA);  // what the drive did not write
  start();
  EXPECT_EQ(unflushed_after_kill(next.span(), kMainSize), at_kill)
      << "a second kill before anybody was told must not lose it";
  FlushHeard user;  // served before, and has heard of nothing
  EXPECT_EQ(rig.engine->flush_for(user).error, EIO);
  EXPECT_EQ(rig.in_state(format::State::gone), (std::vector<SectorRange>{{{0}, {8}}}));
  EXPECT_EQ(rig.engine->flush_for(user).error, 0);
  EXPECT_FALSE(flush_in_doubt_after_kill(next.span(), kMainSize));
}

TEST_F(EngineEvidence, Rule5_SoDoesAFlushOfTheSpare) {
  AlignedBuffer memory(EngineMemory::bytes_for(kMainSize));
  rig.memory = memory.span();
  start();
  rig.main.fail_writes({{0}, {8}}, ENODATA);
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  ASSERT_EQ(rig.write(0, 8, 3), 0) << "to the spare, and not flushed";
  std::optional<UnflushedLeft> at_kill;
  rig.spare.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::flush) {
      at_kill = unflushed_after_kill(memory.span(), kMainSize);
    }
    return io::kIoOk;
  });
  ASSERT_EQ(rig.engine->flush().error, 0);
  ASSERT_TRUE(at_kill);
  EXPECT_FALSE(at_kill->main_flush_in_doubt);
  EXPECT_TRUE(at_kill->spare_flush_in_doubt);
  rig.left = at_kill;
  rig.restart();
  FlushHeard user;
  EXPECT_EQ(rig.engine->flush_for(user).error, EIO);
  EXPECT_EQ(rig.engine->flush_for(user).error, 0);
}

// What was acknowledged before the kill is flushed by the first flush after it, on every device.
TEST_F(EngineEvidence, Promise3_TheFirstFlushAfterATakeoverReachesTheSpare) {
  start();
  const auto flushes = [this] { return rig.spare.counters().flushes.load(); };
  const std::uint64_t before = flushes();
  ASSERT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(flushes(), before) << "nothing was written";
  rig.left = UnflushedLeft{false, false, {}};
  rig.restart();
  const std::uint64_t at_start = flushes();
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_GT(flushes(), at_start);
}

// An engine that is killed leaves its memory. Whatever it was doing, what is said to hold does.
TEST_F(EngineEvidence, TheMemoryOfAKilledEngineHoldsWhatIsCertain) {
  std::vector<std::uint64_t> words(EngineMemory::bytes_for(kMainSize) / 8 + 8);
  auto bytes = std::as_writable_bytes(std::span(words));
  while (reinterpret_cast<std::uintptr_t>(bytes.data()) % 64 != 0) bytes = bytes.subspan(8);
  rig.memory = bytes.first(EngineMemory::bytes_for(kMainSize));
  rig.evidence = {rig.block_hash(0), rig.block_hash(4'096), rig.block_hash(kFar)};
  start();
  const auto left = [&] { return evidence_after_kill(rig.memory, kMainSize); };
  EXPECT_EQ(left(), rig.evidence);
  EXPECT_TRUE(evidence_after_kill(rig.memory, {kMainSize.value * 4'096}).empty());
  std::vector<BlockHash> in_write;
  std::vector<BlockHash> in_flush;
  rig.main.set_hook([&](const sim::Request& request) -> io::IoStatus {
    if (request.kind == sim::Request::Kind::write) in_write = left();
    if (request.kind == sim::Request::Kind::flush) in_flush = left();
    return {0};
  });
  ASSERT_EQ(rig.write(0, 8, 2), 0);
  const std::vector<BlockHash> rest{rig.evidence[1], rig.evidence[2]};
  EXPECT_EQ(in_write, rest);
  EXPECT_EQ(left(), rest) << "dirty";
  ASSERT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(in_flush, rest) << "covered";
  EXPECT_EQ(left(), rest);
  EXPECT_EQ(rig.engine->evidence(), rest);
}

}  // namespace
}  // namespace dmremap::remap
