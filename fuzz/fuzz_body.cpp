// SPDX-License-Identifier: GPL-2.0-or-later
// Any blocks are a body or a fault. What decodes encodes, and that decodes to the same; a flipped
// bit of it is a fault.
//
// Input: base (one of the sample contents, zeros, or a full body with a gap), levels of checksums
// to put right, bit to flip (3 bytes), then patches.
#include <variant>
#include <vector>

#include "format/body.hpp"
#include "format/sections.hpp"
#include "recipe.hpp"
#include "reseal.hpp"
#include "sample.hpp"

using namespace dmremap;
using fuzz::require;

namespace {

std::vector<std::vector<std::byte>> bases() {
  std::vector<std::vector<std::byte>> out;
  for (unsigned which = 0; which < fuzz::kSampleContents; ++which) {
    out.push_back(fuzz::sample_commit(fuzz::sample_content(which), 2, 1, 0).body);
  }
  out.emplace_back(2 * format::kBlockBytes);
  // All blocks in use, most of them by a section that is carried along.
  auto full = fuzz::sample_content(1);
  const std::size_t most = (format::kBodyBlocks - 1) * format::kPayloadBytes -
                           format::kIdentityBytes - format::kConfigurationBytes -
                           format::kPayloadBytes - 3;
  full.unknown = {{79, 0, std::vector<std::byte>(most, std::byte{1})}};
  out.push_back(fuzz::sample_commit(full, 2, 1, 0).body);
  return out;
}

const format::DecodedBody* body_of(const std::variant<format::DecodedBody, format::BodyFault>& it) {
  return std::get_if<format::DecodedBody>(&it);
}

void check_round_trip(const format::DecodedBody& body, std::size_t flipped) {
  format::TableImage table(body.entries);
  auto blocks = format::encode_body(body.name, body.content, table).bytes();
  require(blocks.size() <= format::kBodyBytes, "what was decoded fits a slot again");
  const auto decoded = format::decode_body(blocks);
  const auto* again = body_of(decoded);
  require(again != nullptr, "what was decoded can be encoded");
  require(
      again->name == body.name && again->content == body.content && again->entries == body.entries,
      "encoding and decoding again changes nothing");
  flipped %= blocks.size() * 8;
  blocks[flipped / 8] ^= static_cast<std::byte>(1U << flipped % 8);
  const auto damaged = format::decode_body(blocks);
  require(body_of(damaged) == nullptr, "a flipped bit is noticed");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const auto kBases = bases();
  fuzz::Recipe recipe(data, size);
  std::vector<std::byte> blocks = kBases[recipe.u8() % kBases.size()];
  const unsigned left_wrong = recipe.u8();
  const std::size_t flipped = recipe.u24();
  recipe.patch_all(blocks);
  fuzz::reseal_body(blocks,
                    {(left_wrong & 1U) == 0, (left_wrong & 2U) == 0, (left_wrong & 4U) == 0});
  const auto decoded = format::decode_body(blocks);
  if (const auto* body = body_of(decoded)) check_round_trip(*body, flipped);
  return 0;
}
