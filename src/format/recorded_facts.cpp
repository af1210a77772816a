// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/recorded_facts.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"

namespace dmremap::format {

namespace {

constexpr std::size_t kTerm = 0;
constexpr std::size_t kFlags = 8;
constexpr std::size_t kCount = 9;
constexpr std::size_t kZero = 10;
constexpr std::size_t kFacts = 16;
constexpr std::byte kNoIdentity{1};

// One fact: role, kind, length of the value, zero, the value.
constexpr std::size_t kFactHeaderBytes = 4;
constexpr std::uint8_t kMainRole = 0;
constexpr std::uint8_t kSpareRole = 1;
constexpr std::size_t kMostFacts = 255;

bool is_storable(const Fact& fact) {
  return !fact.value.empty() && fact.value.size() <= kMaxFactBytes &&
         std::ranges::none_of(
             fact.value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

class Packer {
 public:
  explicit Packer(std::span<std::byte> out) : out_(out) {}

  void add(std::uint8_t role, const Fact& fact) {
    const std::size_t bytes = kFactHeaderBytes + fact.value.size();
    if (!is_storable(fact) || count_ == kMostFacts || at_ + bytes > out_.size()) return;
    store_le(out_, at_, role);
    store_le(out_, at_ + 1, static_cast<std::uint8_t>(fact.kind));
    store_le(out_, at_ + 2, static_cast<std::uint8_t>(fact.value.size()));
    put_text(out_, at_ + kFactHeaderBytes, fact.value);
    at_ += bytes;
    ++count_;
  }
  [[nodiscard]] std::uint8_t count() const { return static_cast<std::uint8_t>(count_); }

 private:
  std::span<std::byte> out_;
  std::size_t at_ = kFacts;
  std::size_t count_ = 0;
};

}  // namespace

std::string_view name_of(FactKind kind) {
  switch (kind) {
    case FactKind::naa:
      return "NAA id";
    case FactKind::eui:
      return "EUI-64";
    case FactKind::nvme_uuid:
      return "NVMe UUID";
    case FactKind::nguid:
      return "NVMe NGUID";
    case FactKind::nvme_legacy:
      return "NVMe id";
    case FactKind::serial:
      return "serial number";
    case FactKind::bridge_id:
      return "id shown by the USB bridge";
    case FactKind::bridge_serial:
      return "serial number shown by the USB bridge";
    case FactKind::shared_name:
      return "name shared by two disks";
    case FactKind::dm_uuid:
      return "device-mapper UUID";
    case FactKind::md_uuid:
      return "md UUID";
    case FactKind::disk_below:
      return "disk below";
    case FactKind::partition_uuid:
      return "partition UUID";
    case FactKind::partition_start:
      return "partition start";
    case FactKind::image:
      return "file";
    case FactKind::attachment:
      return "attachment";
    case FactKind::table_uuid:
      return "partition table UUID";
    case FactKind::file_system_uuid:
      return "file system UUID";
    case FactKind::file_system_label:
      return "file system label";
    case FactKind::path:
      return "path";
    case FactKind::port:
      return "port";
    case FactKind::accepted_size:
      return "accepted size";
    case FactKind::accepted_logical_block:
      return "accepted logical block";
    case FactKind::accepted_port:
      return "accepted port";
  }
  return {};
}

void pack_recorded_facts(const RecordedFacts& facts, std::uint64_t term, std::span<std::byte> out) {
  DMREMAP_ASSERT(out.size() == kRecordedFactsBytes);
  // The lists take turns, so that the facts of one device do not push out those of the other.
  Packer packer(out);
  for (std::size_t i = 0; i < std::max(facts.main.size(), facts.spare.size()); ++i) {
    if (i < facts.main.size()) packer.add(kMainRole, facts.main[i]);
    if (i < facts.spare.size()) packer.add(kSpareRole, facts.spare[i]);
  }
  store_le(out, kTerm, term);
  if (facts.main_has_no_identity) out[kFlags] = kNoIdentity;
  store_le(out, kCount, packer.count());
}

std::optional<RecordedFacts> unpack_recorded_facts(std::span<const std::byte> from,
                                                   std::uint64_t term) {
  if (from.size() != kRecordedFactsBytes || load_le<std::uint64_t>(from, kTerm) != term ||
      (from[kFlags] | kNoIdentity) != kNoIdentity ||
      !all_zero(from.subspan(kZero, kFacts - kZero))) {
    return std::nullopt;
  }
  RecordedFacts out;
  out.main_has_no_identity = from[kFlags] == kNoIdentity;
  std::size_t at = kFacts;
  for (std::size_t left = load_le<std::uint8_t>(from, kCount); left > 0; --left) {
    if (at + kFactHeaderBytes > from.size()) return std::nullopt;
    const auto role = load_le<std::uint8_t>(from, at);
    const auto kind = static_cast<FactKind>(load_le<std::uint8_t>(from, at + 1));
    const std::size_t length = load_le<std::uint8_t>(from, at + 2);
    if (role > kSpareRole || length > kMaxFactBytes || from[at + 3] != std::byte{0} ||
        at + kFactHeaderBytes + length > from.size()) {
      return std::nullopt;
    }
    auto value = get_padded(from, at + kFactHeaderBytes, length);
    if (!value || value->size() != length || length == 0) return std::nullopt;
    at += kFactHeaderBytes + length;
    (role == kMainRole ? out.main : out.spare).push_back({kind, std::move(*value)});
  }
  if (!all_zero(from.subspan(at))) return std::nullopt;
  return out;
}

}  // namespace dmremap::format
