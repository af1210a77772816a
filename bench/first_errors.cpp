// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <latch>
#include <stdexcept>
#include <thread>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "engine.hpp"
#include "failing.hpp"
#include "measure.hpp"
#include "rig.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

constexpr SectorCount kMainSize = SectorCount::from_bytes(128 * kMiB);
constexpr SectorCount kBlock{8};
constexpr unsigned kThreads = 32;

double percentile_99(std::vector<double> samples) {
  std::ranges::sort(samples);
  return samples[samples.size() * 99 / 100];
}

}  // namespace

std::vector<double> burst(remap::Engine& engine, Sector first, SectorCount step, unsigned count) {
  const unsigned workers = std::min(count, kThreads);
  std::vector<double> took(count);
  std::atomic<unsigned> next{0};
  std::atomic<bool> failed{false};
  std::latch start(workers);
  const auto work = [&] {
    AlignedBuffer buffer(kBlock.bytes());
    start.arrive_and_wait();
    for (unsigned i = next.fetch_add(1); i < count; i = next.fetch_add(1)) {
      const Sector at = first + SectorCount{step.value * i};
      took[i] = seconds([&] {
        if (!engine.write(at, buffer.span(), false).ok()) failed.store(true);
      });
    }
  };
  std::vector<std::thread> threads;
  for (unsigned i = 0; i < workers; ++i) threads.emplace_back(work);
  for (std::thread& thread : threads) thread.join();
  if (failed.load()) throw std::runtime_error("a write was not acknowledged");
  return took;
}

void print_first_errors(const std::string& directory, const std::vector<unsigned>& bursts,
                        unsigned rounds) {
  fmt::print(
      "\n### From a write that fails to its acknowledgement\n\n{} bursts on sets made anew, from "
      "up "
      "to {} threads, milliseconds; a simulated main refuses at once, spare and metadata are "
      "real\n\n",
      rounds, kThreads);
  print_titles({"storage", "errors in the burst", "median", "99 %", "whole burst"});
  for (const auto& [name, where] : std::vector<std::pair<std::string, std::string>>{
           {"tmpfs", "/dev/shm"}, {"disk", directory}}) {
    Image main(where, kMainSize);
    Image spare(where);
    for (const unsigned count : bursts) {
      std::vector<double> all;
      std::vector<double> whole;
      std::vector<double> worst;
      for (unsigned round = 0; round < rounds; ++round) {
        Failing failing(main.device(), Sector{0});
        RunningEngine engine(failing, spare.device());
        std::vector<double> took;
        whole.push_back(
            seconds([&] { took = burst(*engine, {0}, SectorCount{2 * kBlock.value}, count); }));
        worst.push_back(percentile_99(took));
        all.insert(all.end(), took.begin(), took.end());
      }
      print_row({name, fmt::format("{}", count), text(estimate(all), 1e3),
                 fmt::format("{:.2f}", percentile_99(all) * 1e3), text(estimate(whole), 1e3)});
    }
  }
}

}  // namespace dmremap::bench
