// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdio>
#include <stdexcept>

#include <fmt/format.h>

#include "base/checksum.hpp"
#include "base/clock.hpp"
#include "format/body.hpp"
#include "measure.hpp"
#include "metadata/commit_writer.hpp"
#include "metadata/store.hpp"
#include "sections.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

using metadata::CopySet;

constexpr std::uint64_t kExtentsBefore = 1'000;
constexpr CopySet kAllCopies{(1U << format::kCopies) - 1};
constexpr CopySet kOneCopy{1};

// What a commit does, on whichever copies: encode, write, flush, seal, flush, read back.
class Writer {
 public:
  Writer(io::BlockDevice& spare, CopySet targets)
      : writer_(spare, format::copy_positions(kSpareSize)),
        targets_(targets),
        content_(content_with(kExtentsBefore)) {
    seal_.set_uuid = content_.identity.set_uuid;
    seal_.device_uuid = content_.identity.spare_uuid;
    seal_.device_size = kSpareSize;
    seal_.positions = format::copy_positions(kSpareSize);
    seal_.term = 1;
  }

  void add_one_remap() {
    add_extent(content_);
    seal_.sequence += 1;
    seal_.parent = seal_.commit;
    seal_.commit = system_random().commit_id();
    if (!table_.apply({{}, {content_.extents.back()}})) throw std::runtime_error("no free place");
    auto body = format::encode_body(
        {seal_.set_uuid, seal_.sequence, seal_.term, seal_.commit, seal_.parent, seal_.wall_ns},
        content_, table_);
    const auto held = writer_.write(metadata::make_image(seal_, std::move(body)), targets_);
    if (!held || *held != targets_) throw std::runtime_error("a commit failed");
  }

 private:
  metadata::CommitWriter writer_;
  CopySet targets_;
  format::Content content_;
  format::TableImage table_;
  format::Seal seal_;
};

// A set on a storage of its own, open for commits.
class OpenSet {
 public:
  OpenSet(io::BlockDevice& spare, std::uint64_t extents) : base_(content_with(extents)) {
    require(metadata::Store::create(spare, content_with(0), system_random(), system_clock()));
    auto found = metadata::survey(spare);
    require(found);
    auto store = metadata::Store::activate(spare, *found, base_, system_random(), system_clock());
    require(store);
    store_ = std::move(*store);
    content_ = base_;
  }

  // Both columns as they were.
  void go_back() {
    content_ = base_;
    commit();
    commit();
  }
  void add_remaps(std::uint64_t count) {
    for (std::uint64_t i = 0; i < count; ++i) add_extent(content_);
    commit();
  }

 private:
  template <typename T>
  static void require(const Result<T>& result) {
    if (!result) throw std::runtime_error(result.error().what);
  }
  void commit() {
    require(store_->commit(content_, table::Table(content_.extents, content_.retired)));
  }

  format::Content base_;
  format::Content content_;
  std::unique_ptr<metadata::Store> store_;
};

struct Place {
  std::string name;
  std::string directory;
  Storage::Flushes flushes;
};

void print_copies(const std::vector<Place>& places, unsigned pairs) {
  fmt::print(
      "\n### A commit of one remap: eight copies against one\n\n"
      "{} pairs, {} extents in the table before, milliseconds\n\n",
      pairs, kExtentsBefore);
  print_titles({"storage", "one copy", "eight copies", "ratio", "KiB written a copy"});
  for (const Place& place : places) {
    Image one(place.directory);
    Image eight(place.directory);
    Storage to_one(one.device(), place.flushes);
    Storage to_eight(eight.device(), place.flushes);
    Writer writes_one(to_one, kOneCopy);
    Writer writes_eight(to_eight, kAllCopies);
    // Both columns of both hold a commit before, so that only what changed is written.
    for (int i = 0; i < 2; ++i) {
      writes_one.add_one_remap();
      writes_eight.add_one_remap();
    }
    double most = 0;
    const auto counted = [&] {
      const std::uint64_t before = to_eight.bytes_written();
      writes_eight.add_one_remap();
      const auto bytes = static_cast<double>(to_eight.bytes_written() - before);
      most = std::max(most, bytes / 1024 / format::kCopies);
    };
    const Comparison found =
        compare({{}, [&] { writes_one.add_one_remap(); }}, {{}, counted}, pairs);
    print_row({place.name, text(found.a_seconds, 1e3), text(found.b_seconds, 1e3),
               text(found.ratio), fmt::format("{:.0f} at most", most)});
  }
}

void print_batches(const std::vector<Place>& places, unsigned pairs) {
  constexpr std::uint64_t kMany = 1'000;
  fmt::print(
      "\n### A commit as the engine asks for it: 1000 remaps against one\n\n"
      "{} pairs, all eight copies, {} extents in the table before, milliseconds\n\n",
      pairs, kExtentsBefore);
  print_titles({"storage", "one remap", "1000 remaps", "ratio"});
  for (const Place& place : places) {
    Image image_a(place.directory);
    Image image_b(place.directory);
    Storage storage_a(image_a.device(), place.flushes);
    Storage storage_b(image_b.device(), place.flushes);
    OpenSet a(storage_a, kExtentsBefore);
    OpenSet b(storage_b, kExtentsBefore);
    const Comparison found = compare({[&] { a.go_back(); }, [&] { a.add_remaps(1); }},
                                     {[&] { b.go_back(); }, [&] { b.add_remaps(kMany); }}, pairs);
    print_row(
        {place.name, text(found.a_seconds, 1e3), text(found.b_seconds, 1e3), text(found.ratio)});
  }
}

}  // namespace

void print_commits(const std::string& directory, unsigned pairs) {
  const std::vector<Place> places{
      {"disk", directory, Storage::Flushes::passed_on},
      {"disk, if its cache needed no flush", directory, Storage::Flushes::needless},
      {"tmpfs: the processor's part", "/dev/shm", Storage::Flushes::passed_on},
  };
  print_copies(places, pairs);
  print_batches(places, pairs);
}

}  // namespace dmremap::bench
