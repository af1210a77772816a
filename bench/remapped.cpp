// SPDX-License-Identifier: GPL-2.0-or-later
#include <random>
#include <stdexcept>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "engine.hpp"
#include "measure.hpp"
#include "rig.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

constexpr SectorCount kWorkingSet = SectorCount::from_bytes(64 * kMiB);
constexpr SectorCount kBlock{8};
constexpr std::uint64_t kBlocks = kWorkingSet.value / kBlock.value;

// Two sets alike, but that one has 1 % of its blocks on the spare.
struct Pair {
  explicit Pair(const std::string& directory)
      : main_a(directory, kWorkingSet),
        spare_a(directory),
        main_b(directory, kWorkingSet),
        spare_b(directory),
        none(main_a.device(), spare_a.device()),
        some(main_b.device(), spare_b.device(),
             spread_extents(kBlocks / 100, kBlock, kWorkingSet, kFirstFree)) {}

  Image main_a;
  Image spare_a;
  Image main_b;
  Image spare_b;
  RunningEngine none;
  RunningEngine some;
};

void require(io::IoStatus status) {
  if (!status.ok()) throw std::runtime_error("a request failed");
}

Way requesting(remap::Engine& engine, bool write, std::size_t requests, AlignedBuffer& buffer) {
  return {
      {}, [&engine, write, requests, &buffer, random = std::mt19937_64(4)]() mutable {
        for (std::size_t i = 0; i < requests; ++i) {
          const Sector at{random() % kBlocks * kBlock.value};
          require(write ? engine.write(at, buffer.span(), false) : engine.read(at, buffer.span()));
        }
      }};
}

}  // namespace

void print_remapped(const std::string& directory, std::size_t requests, unsigned pairs) {
  fmt::print(
      "\n### 1 % of the working set on the spare, against none\n\n{} pairs of {} random requests "
      "of "
      "4 KiB to 64 MiB, one after another, main and spare alike\n\n",
      pairs, requests);
  print_titles(
      {"storage and requests", "us, none", "us, 1 %", "throughput, 1 % to none", "at least 0.97"});
  AlignedBuffer buffer(kBlock.bytes());
  for (const auto& [name, where] : std::vector<std::pair<std::string, std::string>>{
           {"tmpfs", "/dev/shm"}, {"disk", directory}}) {
    Pair sets(where);
    for (const bool write : {false, true}) {
      // The ratio of times, with the one with remapped blocks first, is that of throughputs.
      const Comparison found = compare(requesting(*sets.some, write, requests, buffer),
                                       requesting(*sets.none, write, requests, buffer), pairs);
      const double to_us = 1e6 / static_cast<double>(requests);
      print_row({name + (write ? ", writes" : ", reads"), text(found.b_seconds, to_us),
                 text(found.a_seconds, to_us), text(found.ratio, 1, 3),
                 verdict_at_least(found.ratio, 0.97)});
    }
  }
}

}  // namespace dmremap::bench
