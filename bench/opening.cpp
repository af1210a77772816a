// SPDX-License-Identifier: GPL-2.0-or-later
#include <stdexcept>

#include <fmt/format.h>

#include "base/aligned_buffer.hpp"
#include "base/clock.hpp"
#include "measure.hpp"
#include "metadata/store.hpp"
#include "sections.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

metadata::Survey look(io::BlockDevice& spare) {
  auto found = metadata::survey(spare);
  if (!found) throw std::runtime_error(found.error().what);
  if (const auto error = metadata::refusal(*found, spare.path())) {
    throw std::runtime_error(error->what);
  }
  return std::move(*found);
}

// The bytes that a survey cannot do without: every slot once.
void read_slots(io::BlockDevice& spare, AlignedBuffer& buffer) {
  for (const Sector copy : format::copy_positions(kSpareSize)) {
    for (unsigned slot = 0; slot < format::kSlots; ++slot) {
      const Sector at = copy + SectorCount{slot * format::kSlotSectors.value};
      if (!spare.read(at, buffer.span()).ok()) throw std::runtime_error("a read failed");
    }
  }
}

}  // namespace

void print_opening(const std::string& directory, unsigned rounds) {
  const std::uint64_t capacity = metadata::table_capacity(content_with(0));
  fmt::print("\n### Opening a set with a full table ({} extents)\n\n{} pairs, milliseconds\n\n",
             capacity, rounds);
  print_titles({"storage", "reading the slots, no more", "survey and decision", "ratio",
                "activation after it"});
  for (const auto& [name, where] : {std::pair<std::string, std::string>{"disk", directory},
                                    {"tmpfs: the processor's part", "/dev/shm"}}) {
    Image image(where);
    io::BlockDevice& spare = image.device();
    const format::Content full = content_with(capacity);
    const auto activate = [&](const metadata::Survey& found) {
      if (!metadata::Store::activate(spare, found, full, system_random(), system_clock())) {
        throw std::runtime_error("an activation failed");
      }
    };
    if (!metadata::Store::create(spare, content_with(0), system_random(), system_clock())) {
      throw std::runtime_error("cannot create a set");
    }
    // Twice: both columns are full then.
    for (int i = 0; i < 2; ++i) activate(look(spare));
    AlignedBuffer buffer(format::kSlotBytes);
    const Comparison found =
        compare({{}, [&] { read_slots(spare, buffer); }}, {{}, [&] { (void)look(spare); }}, rounds);
    std::vector<double> activations;
    for (unsigned i = 0; i < rounds; ++i) {
      const metadata::Survey before = look(spare);
      activations.push_back(seconds([&] { activate(before); }));
    }
    print_row({name, text(found.a_seconds, 1e3), text(found.b_seconds, 1e3), text(found.ratio),
               text(estimate(activations), 1e3)});
  }
}

}  // namespace dmremap::bench
