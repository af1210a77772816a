// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdexcept>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "engine.hpp"
#include "failing.hpp"
#include "heap_count.hpp"
#include "measure.hpp"
#include "rig.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

constexpr SectorCount kMainSize = SectorCount::from_bytes(4'096 * kGiB);
constexpr SectorCount kSpare = SectorCount::from_bytes(64 * kGiB);
constexpr SectorCount kBlock{8};

// Takes and gives at once, and keeps nothing: what is left is the engine's own part.
class Nothing final : public io::BlockDevice {
 public:
  Nothing(const std::string& name, SectorCount size) : BlockDevice(name, {size, 512, 4'096}) {}

 private:
  io::IoStatus do_read(Sector, std::span<std::byte>) override { return io::kIoOk; }
  io::IoStatus do_write(Sector, std::span<const std::byte>) override { return io::kIoOk; }
  io::IoStatus do_flush() override { return io::kIoOk; }
  io::IoStatus do_write_zeroes(SectorRange) override { return io::kIoOk; }
  io::IoStatus do_discard(SectorRange) override { return io::kIoOk; }
};

// Acknowledges every commit: a slot on a spare holds about ten thousand extents.
class InMemory final : public metadata::Store {
 public:
  Result<metadata::CommitName> commit(const format::Records&, const table::Table&) override {
    ++name_.sequence;
    return name_;
  }
  Result<void> check_alone() override { return {}; }
  metadata::CommitName current() const override { return name_; }
  metadata::CopyCount copies() const override { return {8, 8}; }
  std::string read_only_reason() const override { return {}; }

 private:
  metadata::CommitName name_;
};

std::unique_ptr<remap::Engine> open(io::BlockDevice& main, io::BlockDevice& spare,
                                    metadata::Store& store, const format::Content& content) {
  remap::EngineParts parts;
  parts.main = &main;
  parts.spares = {&spare};
  parts.store = &store;
  parts.clock = &system_clock();
  auto engine = remap::Engine::start(parts, content);
  if (!engine) throw std::runtime_error(engine.error().message());
  return std::move(*engine);
}

}  // namespace

void print_growth(const std::vector<std::uint64_t>& sizes, unsigned rounds) {
  fmt::print(
      "\n### Growth with the number of extents, in memory\n\n{} times each, 4 TiB; devices and "
      "commits that take no time, so that what is left is the engine's own part\n\n",
      rounds);
  print_titles({"extents", "ns a clean read", "ns a remapped read",
                "us from a failed write to its acknowledgement", "ms to open",
                "bytes of the open engine an extent"});
  constexpr std::size_t kReads = 10'000;
  for (const std::uint64_t size : sizes) {
    Nothing below("main", kMainSize);
    Nothing spare("spare", kSpare);
    const Sector bad{kMainSize.value / 2};
    Failing main(below, bad);
    InMemory store;
    format::Content content = content_with(0);
    content.identity.main.size = kMainSize;
    content.identity.spare.size = kSpare;
    // A multiple of the extents' own size: they do not touch each other, nor what fails.
    content.extents = spread_extents(size, kBlock, SectorCount{kMainSize.value / 2}, kFirstFree);
    std::vector<double> opening;
    for (unsigned i = 0; i < rounds / 4 + 1; ++i) {
      std::unique_ptr<remap::Engine> engine;
      opening.push_back(seconds([&] { engine = open(main, spare, store, content); }));
      engine->stop();
    }
    const HeapCount before = heap_count();
    const auto engine = open(main, spare, store, content);
    const auto bytes = static_cast<double>(heap_count().live_bytes - before.live_bytes);
    AlignedBuffer buffer(kBlock.bytes());
    const auto read = [&](Sector at) {
      if (!engine->read(at, buffer.span()).ok()) throw std::runtime_error("a read failed");
    };
    std::uint64_t next = 0;
    const auto step = [&next](std::uint64_t limit) { return next = (next + 1'000'003) % limit; };
    const std::uint64_t clean_blocks = (kMainSize.value - bad.value) / kBlock.value;
    std::vector<double> clean;
    std::vector<double> remapped;
    std::vector<double> failed;
    for (unsigned round = 0; round < rounds; ++round) {
      clean.push_back(processor_seconds([&] {
        for (std::size_t i = 0; i < kReads; ++i) {
          read(bad + SectorCount{step(clean_blocks) * kBlock.value});
        }
      }));
      remapped.push_back(processor_seconds([&] {
        for (std::size_t i = 0; i < kReads; ++i) read(content.extents[step(size)].main().first);
      }));
    }
    for (unsigned round = 0; round < rounds; ++round) {
      const Sector at = bad + SectorCount{2 * kBlock.value * (round * 1'000 + 1)};
      failed.push_back(burst(*engine, at, kBlock, 1).front());
    }
    engine->stop();
    print_row({fmt::format("{}", size), text(estimate(clean), 1e9 / kReads, 0),
               text(estimate(remapped), 1e9 / kReads, 0), text(estimate(failed), 1e6, 0),
               text(estimate(opening), 1e3),
               fmt::format("{:.1f}", bytes / static_cast<double>(size))});
  }
}

}  // namespace dmremap::bench
