// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/copy_record.hpp"

#include <algorithm>

#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kSequence = 0;
constexpr std::size_t kWall = 8;
constexpr std::size_t kLeftOut = 16;
constexpr std::size_t kZero = 24;

constexpr std::size_t kMostUnknown = 12;  // of 16 sections, four are always there

}  // namespace

void pack_copy_record(const CopyRecord& record, std::span<std::byte> out) {
  store_le(out, kSequence, record.sequence);
  store_le(out, kWall, record.wall_ns);
  store_le(out, kLeftOut, record.left_out.value);
}

std::optional<CopyRecord> copy_record_in(const Content& content, std::uint64_t sequence) {
  const auto of_type = [](const UnknownSection& s) { return s.type == kCopyRecordType; };
  const auto at = std::ranges::find_if(content.unknown, of_type);
  if (at == content.unknown.end() || at->bytes.size() != kCopyRecordBytes) return std::nullopt;
  const std::span<const std::byte> from(at->bytes);
  if (!all_zero(from.subspan(kZero))) return std::nullopt;
  const CopyRecord out{load_le<std::uint64_t>(from, kSequence),
                       load_le<std::uint64_t>(from, kWall),
                       {load_le<std::uint64_t>(from, kLeftOut)}};
  if (out.sequence != sequence) return std::nullopt;
  return out;
}

bool put_copy_record(Content& content, const CopyRecord& record) {
  drop_copy_record(content);
  if (content.unknown.size() >= kMostUnknown) return false;
  UnknownSection section{kCopyRecordType, 0, std::vector<std::byte>(kCopyRecordBytes)};
  pack_copy_record(record, section.bytes);
  content.unknown.push_back(std::move(section));
  return true;
}

void drop_copy_record(Content& content) {
  std::erase_if(content.unknown, [](const UnknownSection& s) { return s.type == kCopyRecordType; });
}

}  // namespace dmremap::format
