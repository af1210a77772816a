// SPDX-License-Identifier: GPL-2.0-or-later
// The decoders of the sections, without the checksums around them: what unpacks packs to exactly
// the bytes it came from, so nothing is dropped, cut or made up.
//
// Input: which decoder, base (0 a right one, 1 zeros, 2 raw bytes of any length), then patches or
// raw bytes.
#include <algorithm>
#include <optional>
#include <vector>

#include "format/disk_history_section.hpp"
#include "format/grown_spare.hpp"
#include "format/latency_section.hpp"
#include "format/policy_section.hpp"
#include "format/scan_section.hpp"
#include "format/sections.hpp"
#include "recipe.hpp"
#include "reseal.hpp"
#include "sample.hpp"

using namespace dmremap;
using fuzz::require;
using Bytes = std::vector<std::byte>;

namespace {

enum Which : unsigned {
  identity,
  configuration,
  health,
  extent,
  scan,
  disk_history,
  latency,
  grown_spare,
  policy,
};
constexpr unsigned kDecoders = 9;

std::size_t size_of(unsigned which) {
  switch (which) {
    case identity:
      return format::kIdentityBytes;
    case configuration:
      return format::kConfigurationBytes;
    case health:
      return format::kHealthBytes;
    case scan:
      return format::kScanSectionBytes;
    case disk_history:
      return format::kDiskHistorySectionBytes;
    case latency:
      return format::kLatencySectionBytes;
    case grown_spare:
      return format::kGrownSpareBytes;
    case policy:
      return format::kPolicySectionBytes;
    default:
      return format::kEntryBytes;
  }
}

Bytes right(unsigned which) {
  Bytes out(size_of(which));
  const format::Content content = fuzz::sample_content(2);
  switch (which) {
    case identity:
      format::pack_identity(content.identity, out);
      break;
    case configuration:
      format::pack_configuration(content.configuration, out);
      break;
    case health:
      format::pack_health(content.health, out);
      break;
    case scan:
      format::pack_scan_section({true, 1'000'000, 60, 360, Bytes(72, std::byte{7})}, out);
      break;
    case disk_history:
      format::pack_disk_history({true, 1'700'000'000, 41, "WD-1234", Bytes(300, std::byte{7})},
                                out);
      break;
    case latency:
      format::pack_latency_section({Bytes(40, std::byte{7})}, out);
      break;
    case grown_spare:
      format::pack_grown_spare({65'536}, out);
      break;
    case policy:
      format::pack_policy_section({90}, out);
      break;
    default:
      format::ExtentCodec::pack(fuzz::sample_content(1).extents.back(), out);
  }
  return out;
}

// What the bytes pack to again, if they unpack.
std::optional<Bytes> there_and_back(unsigned which, const Bytes& bytes) {
  Bytes out(size_of(which));
  const auto back = [&](const auto& unpacked, auto pack) -> std::optional<Bytes> {
    if (!unpacked) return std::nullopt;
    pack(*unpacked, std::span(out));
    return out;
  };
  switch (which) {
    case identity:
      return back(format::unpack_identity(bytes), format::pack_identity);
    case configuration:
      return back(format::unpack_configuration(bytes), format::pack_configuration);
    case health:
      return back(format::unpack_health(bytes), format::pack_health);
    case scan:
      return back(format::unpack_scan_section(bytes), format::pack_scan_section);
    case disk_history:
      return back(format::unpack_disk_history(bytes), format::pack_disk_history);
    case latency:
      return back(format::unpack_latency_section(bytes), format::pack_latency_section);
    case grown_spare:
      return back(format::unpack_grown_spare(bytes), format::pack_grown_spare);
    case policy:
      return back(format::unpack_policy_section(bytes), format::pack_policy_section);
    default:
      return back(format::ExtentCodec::unpack(bytes), format::ExtentCodec::pack);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const std::vector<Bytes> kRight{right(identity), right(configuration), right(health),
                                         right(extent),   right(scan),          right(disk_history),
                                         right(latency),  right(grown_spare),   right(policy)};
  fuzz::Recipe recipe(data, size);
  const unsigned which = recipe.u8() % kDecoders;
  const unsigned base = recipe.u8() % 3;
  Bytes bytes(size_of(which));
  if (base == 0) bytes = kRight[which];
  if (base == 2) {
    const auto raw = recipe.rest();
    // The caller of the table entry's decoder cuts the table into entries; the others are told.
    if (which != extent) bytes.assign(raw.size(), std::byte{0});
    std::copy_n(raw.begin(), std::min(raw.size(), bytes.size()), bytes.begin());
  } else {
    recipe.patch_all(bytes);
  }
  if (which == identity) fuzz::reseal_identity(bytes);
  const auto again = there_and_back(which, bytes);
  require(!again || *again == bytes, "a section that unpacks packs to the same bytes");
  return 0;
}
