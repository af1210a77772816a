// SPDX-License-Identifier: GPL-2.0-or-later
// Opening a spare of arbitrary bytes: a survey, never a crash. Chunks of the input are laid over a
// healthy set's metadata, so that the fuzzer starts near what passes the checksums.
#include <algorithm>
#include <cstdlib>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "metadata/store.hpp"
#include "sim/sim_device.hpp"

namespace {

using namespace dmremap;

std::vector<std::byte> healthy_spare() {
  sim::SimDevice spare{{format::kMinSpareSize, 512, 4096}};
  format::Content content;
  content.identity.name = "fuzz";
  content.identity.set_uuid.bytes[0] = std::byte{1};
  content.identity.spare_uuid.bytes[0] = std::byte{2};
  content.identity.main.size = {1'000'000};
  content.identity.spare.size = format::kMinSpareSize;
  if (!metadata::Store::create(spare, content, system_random(), system_clock())) std::abort();
  return spare.contents();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<std::byte> pristine = healthy_spare();
  static sim::SimDevice spare{{format::kMinSpareSize, 512, 4096}};
  constexpr std::size_t kAreaSectors = 9'216;
  spare.poke({0}, std::span(pristine).first(kAreaSectors * 512));
  // Each chunk: where (two bytes, in sectors), then 510 bytes over that sector.
  for (std::size_t at = 0; at + 512 <= size && at < 64U * 512; at += 512) {
    const std::size_t sector = (data[at] | static_cast<std::size_t>(data[at + 1]) << 8U);
    std::vector<std::byte> over(512);
    std::copy_n(reinterpret_cast<const std::byte*>(data) + at + 2, 510, over.begin());
    spare.poke({sector % kAreaSectors}, over);
  }
  const auto found = metadata::survey(spare);
  if (found && found->decision.writable() && !found->content) std::abort();
  return 0;
}
