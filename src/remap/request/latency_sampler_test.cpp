// SPDX-License-Identifier: GPL-2.0-or-later
// Which requests are samples of latency: users' reads and writes that arrive while somebody
// measures, by whichever way they come, and nothing else.
#include "remap/request/latency_sampler.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <vector>

#include "rig/engine_rig.hpp"

namespace dmremap::remap {
namespace {

constexpr std::uint64_t kMs = 1'000'000;

class SteppedClock final : public Clock {
 public:
  std::uint64_t wall_ns() override { return system_clock().wall_ns(); }
  std::uint64_t monotonic_ns() override { return now_ns.load(); }

  std::atomic<std::uint64_t> now_ns{1'000 * kMs};
};

class NoAnswer final : public Completion {
 public:
  void complete(io::IoStatus /*status*/) override { ADD_FAILURE() << "answered later"; }
};

class LatencySamplerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    rig.clock = &clock;
    rig.start();
    // Each request to main takes three milliseconds.
    rig.main.set_hook([this](const sim::Request&) {
      clock.now_ns += 3 * kMs;
      return io::IoStatus{};
    });
  }
  // Milliseconds of each sample.
  [[nodiscard]] std::vector<std::uint64_t> latencies() {
    std::vector<std::uint64_t> out;
    for (const LatencySample& sample : rig.engine->take_latencies()) {
      out.push_back(sample.latency_ns / kMs);
    }
    return out;
  }

  SteppedClock clock;
  Rig rig;
};

TEST_F(LatencySamplerTest, UsersReadsAndWritesWhileItIsOn) {
  EXPECT_EQ(rig.read(0), 1);
  EXPECT_EQ(rig.write(8, 8, 2), 0);
  EXPECT_TRUE(latencies().empty()) << "nobody measures";
  rig.engine->sample_latencies(true);
  const std::uint64_t begun_ns = clock.monotonic_ns();
  EXPECT_EQ(rig.read(0), 1);
  const auto samples = rig.engine->take_latencies();
  ASSERT_EQ(samples.size(), 1U);
  EXPECT_EQ(samples[0].begun_ns, begun_ns);
  EXPECT_EQ(samples[0].latency_ns, 3 * kMs);
  EXPECT_EQ(rig.write(8, 8, 2), 0);
  EXPECT_EQ(rig.write(8, 8, 2, true), 0);
  std::vector<std::byte> out(4096);
  EXPECT_TRUE(rig.engine->read_or_later({0}, out, {}, nullptr));
  EXPECT_EQ(latencies().size(), 3U);
  rig.engine->sample_latencies(false);
  EXPECT_EQ(rig.read(0), 1);
  EXPECT_TRUE(latencies().empty());
}

TEST_F(LatencySamplerTest, BegunWhileItIsOnItCountsWheneverItEnds) {
  std::vector<std::byte> out(4096);
  NoAnswer done;
  Request request{.kind = Request::Kind::read, .range = {{0}, {8}}, .out = out, .done = &done};
  auto before = rig.engine->begin(request);
  ASSERT_TRUE(before);
  rig.engine->sample_latencies(true);
  auto within = rig.engine->begin(request);
  ASSERT_TRUE(within);
  rig.engine->sample_latencies(false);
  clock.now_ns += 7 * kMs;
  EXPECT_TRUE(rig.engine->finish(std::move(*before), {}));
  EXPECT_TRUE(rig.engine->finish(std::move(*within), {}));
  EXPECT_EQ(latencies(), std::vector<std::uint64_t>{7});
}

TEST_F(LatencySamplerTest, NeitherTheScanNorWhatFailsNorOtherRequests) {
  rig.engine->sample_latencies(true);
  ASSERT_TRUE(rig.engine->scan({{0}, {2048}}, [] { return true; }));
  EXPECT_EQ(rig.engine->flush().error, 0);
  EXPECT_EQ(rig.engine->discard({{0}, {8}}, nullptr).error, 0);
  EXPECT_EQ(rig.engine->write_zeroes({{0}, {8}}, nullptr).error, 0);
  rig.main.set_hook({});
  rig.main.fail_reads({{64}, {8}}, EIO);
  EXPECT_EQ(rig.read(64, 8), -EIO);
  EXPECT_TRUE(latencies().empty());
}

TEST_F(LatencySamplerTest, OfManyTheyAreChosenWhateverTheirLatency) {
  LatencySampler sampler(clock, system_scheduling());
  constexpr std::uint64_t kSeen = 10 * LatencySampler::kMost;
  for (std::uint64_t i = 0; i < kSeen; ++i) sampler.add(clock.monotonic_ns() - i);
  const auto samples = sampler.take();
  ASSERT_EQ(samples.size(), LatencySampler::kMost);
  const auto late = std::ranges::count_if(
      samples, [](const LatencySample& sample) { return sample.latency_ns >= kSeen / 2; });
  EXPECT_NEAR(static_cast<double>(late), LatencySampler::kMost / 2.0, 200);
  EXPECT_TRUE(sampler.take().empty());
}

}  // namespace
}  // namespace dmremap::remap
