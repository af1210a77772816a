// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <atomic>
#include <chrono>
#include <thread>

#include <fmt/format.h>

#include "heap_count.hpp"
#include "lookup.hpp"
#include "measure.hpp"
#include "table/live_table.hpp"
#include "terabytes.hpp"

namespace dmremap::bench {

namespace {

using Nanoseconds = std::chrono::nanoseconds;

volatile std::uint64_t sink = 0;  // what is found is needed

Nanoseconds now() {
  return std::chrono::steady_clock::now().time_since_epoch();
}

std::string count_text(double value) {
  return value < 1'000 ? fmt::format("{:.0f}", value) : fmt::format("{:.1f} k", value / 1'000);
}

// Binds a block of 4 KiB that is good, as a failed write does, and lets go of it the next time.
class Writer {
 public:
  Writer(table::LiveTable& live, const table::Table& table, std::vector<Sector> places)
      : live_(live), table_(table), places_(std::move(places)) {}

  void publish_one() {
    const SectorRange range{places_[next_ / 2 % places_.size()], kRequest};
    std::vector<format::Extent> with;
    if (next_ % 2 == 0)
      with.emplace_back(format::State::remapped, range, SpareAddress{kFirstSpare, {8}});
    ++next_;
    table_ = table_.replaced(range, with);
    live_.publish(table_, {&range, 1});
  }

 private:
  table::LiveTable& live_;
  table::Table table_;
  std::vector<Sector> places_;
  std::size_t next_ = 0;
};

struct Pauses {
  double p999_ns = 0;
  double worst_ns = 0;
};

// Looks for `length`, as requests do, and tells how long lookups took.
Pauses read_for(Nanoseconds length, table::LiveTable& live, const std::vector<Sector>& places) {
  std::vector<double> took;
  took.reserve(4'000'000);
  const Nanoseconds end = now() + length;
  std::uint64_t sum = 0;
  for (Nanoseconds before = now(); before < end && took.size() < took.capacity();) {
    const SectorRange range{places[took.size() % places.size()], kRequest};
    {
      const table::Pins::Pin pin = live.pin(range);
      if (!live.clean(range)) {
        sum += live.snapshot().table.piece_at(range.first, range.end()).spare.sector.value;
      }
    }
    const Nanoseconds after = now();
    took.push_back(static_cast<double>((after - before).count()));
    before = after;
  }
  sink = sink + sum;
  if (took.empty()) return {};
  std::ranges::sort(took);
  return {took[took.size() * 999 / 1'000], took.back()};
}

struct Watch {
  std::vector<double> worst;
  std::vector<double> p999;
};

// A reader beside another thread that publishes one change after another, or that spins.
double watch(Watch& into, Nanoseconds length, table::LiveTable& live,
             const std::vector<Sector>& places, const std::function<void()>& beside) {
  std::atomic<bool> ended{false};
  std::uint64_t done = 0;
  std::thread other([&] {
    for (; !ended.load(std::memory_order_relaxed); ++done) beside();
  });
  const Pauses pauses = read_for(length, live, places);
  ended.store(true);
  other.join();
  into.worst.push_back(pauses.worst_ns);
  into.p999.push_back(pauses.p999_ns);
  return static_cast<double>(done);
}

}  // namespace

void print_memory(const std::vector<std::uint64_t>& sizes) {
  fmt::print(
      "\n### Memory\n\nTables while one change is in flight: a request that began before it still "
      "looks at the former one. Apart from them 1 bit a MiB of main, and at most 512 KiB for the "
      "cells, whatever the number of "
      "extents. Heap bytes as the allocator counts them\n\n");
  print_titles({"extents", "bytes an extent", "with one change in flight", "bytes a change copies",
                "allocations a change"});
  for (const std::uint64_t size : sizes) {
    Terabytes disk(size);
    const std::vector<Sector> good = disk.misses(1);
    table::LiveTable live(kDiskSize, table::Table(), system_scheduling());
    const std::vector<format::Extent>& extents = disk.extents();
    const HeapCount start = heap_count();
    auto table = std::make_unique<table::Table>(extents, std::span<const format::Extent>{});
    const SectorRange all{{0}, kDiskSize};
    live.publish(*table, {&all, 1});
    // What the table before was made of is free by the next change.
    const SectorRange range{good.front(), kRequest};
    const HeapCount alone = heap_count();
    const table::Pins::Pin pin = live.pin({{0}, kRequest});
    const table::Snapshot& seen = live.snapshot();
    const std::vector<format::Extent> with{
        format::Extent(format::State::remapped, range, {kFirstSpare, Sector{8}})};
    const HeapCount before = heap_count();
    *table = table->replaced(range, with);
    live.publish(*table, {&range, 1});
    const HeapCount after = heap_count();
    const auto count = static_cast<double>(size);
    const auto bytes = [&](const HeapCount& then) {
      return fmt::format("{:.2f}", static_cast<double>(then.live_bytes - start.live_bytes) / count);
    };
    if (seen.table.size() + 1 != table->size())
      throw std::runtime_error("a request's snapshot changed");
    print_row({fmt::format("{}", size), bytes(alone), bytes(after),
               count_text(static_cast<double>(after.taken_bytes - before.taken_bytes)),
               fmt::format("{}", after.taken - before.taken)});
  }
}

void print_publishing(const std::vector<std::uint64_t>& sizes, unsigned milliseconds,
                      unsigned rounds) {
  fmt::print(
      "\n### A reader while a writer publishes\n\n{} pairs of {} ms; the baseline is the same "
      "reader "
      "beside a thread that spins. Microseconds of single lookups, clock included\n\n",
      rounds, milliseconds);
  print_titles({"extents", "us a change", "99.9 % alone", "99.9 % while publishing", "worst alone",
                "worst while publishing", "worst: ratio in a pair"});
  for (const std::uint64_t size : sizes) {
    Terabytes disk(size);
    const table::Table table(disk.extents(), {});
    table::LiveTable live(kDiskSize, table, system_scheduling());
    std::vector<Sector> places = disk.misses(8'192);
    const std::vector<Sector> hits = disk.hits(8'192);
    places.insert(places.end(), hits.begin(), hits.end());
    Writer writer(live, table, disk.misses(4'096));
    const Nanoseconds length = std::chrono::milliseconds(milliseconds);
    Watch alone;
    Watch publishing;
    std::vector<double> ratios;
    std::vector<double> change_us;
    volatile unsigned spun = 0;
    for (unsigned round = 0; round < rounds; ++round) {
      const auto without = [&] { watch(alone, length, live, places, [&] { spun = spun + 1; }); };
      const auto with = [&] {
        const double done = watch(publishing, length, live, places, [&] { writer.publish_one(); });
        change_us.push_back(milliseconds * 1e3 / std::max(done, 1.0));
      };
      if (round % 2 == 0) without();
      with();
      if (round % 2 != 0) without();
      ratios.push_back(publishing.worst.back() / alone.worst.back());
    }
    print_row({fmt::format("{}", size), text(estimate(change_us), 1, 1),
               text(estimate(alone.p999), 1e-3), text(estimate(publishing.p999), 1e-3),
               text(estimate(alone.worst), 1e-3, 0), text(estimate(publishing.worst), 1e-3, 0),
               text(estimate(ratios))});
  }
}

}  // namespace dmremap::bench
