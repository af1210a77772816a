// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/body.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>

#include "base/assert.hpp"
#include "base/endian.hpp"
#include "format/bytes.hpp"
#include "format/grown_spare.hpp"
#include "format/history.hpp"
#include "format/sections.hpp"

namespace dmremap::format {

namespace {

constexpr std::string_view kMagic = "dmr-body";

// Header fields.
constexpr std::size_t kSetUuid = 8;
constexpr std::size_t kSequence = 24;
constexpr std::size_t kTerm = 32;
constexpr std::size_t kCommit = 40;
constexpr std::size_t kParent = 56;
constexpr std::size_t kWall = 72;
constexpr std::size_t kSectionCount = 80;
constexpr std::size_t kBlockCount = 84;
constexpr std::size_t kZero = 88;
constexpr std::size_t kDirectory = 256;

// Directory entry: type, flags, offset in the stream, length, CRC32C, 16 bytes zero.
constexpr std::size_t kDirectoryEntryBytes = 32;
constexpr std::size_t kMaxSections = (kHeaderBytes - kDirectory) / kDirectoryEntryBytes;
// Flag of a section: a program that does not know the section must not use the set.
constexpr std::uint16_t kRequired = 1;

enum SectionType : std::uint16_t { identity = 1, configuration = 2, health = 3, table = 4 };

constexpr std::size_t kHealthOffset = kHeaderBytes;
constexpr std::size_t kIdentityOffset = kPayloadBytes;
constexpr std::size_t kConfigurationOffset = kIdentityOffset + kIdentityBytes;
constexpr std::size_t kMiddleOffset = kConfigurationOffset + kConfigurationBytes;
constexpr std::size_t kRequiredSections = 4;
static_assert(kHealthOffset + kHealthBytes == kPayloadBytes);

struct Section {
  std::uint16_t type = 0;
  std::uint16_t flags = 0;
  std::uint32_t offset = 0;
  std::uint32_t length = 0;
  std::uint32_t crc = 0;
};

// A section between the configuration and the table, as it lies in the stream.
using MiddleSection = UnknownSection;

std::size_t table_offset(const std::vector<MiddleSection>& middle, std::size_t before = 0) {
  std::size_t bytes = kMiddleOffset + before;
  for (const MiddleSection& section : middle) bytes += section.bytes.size();
  return align_up(bytes, kPayloadBytes);
}

template <typename Pack>
MiddleSection packed(std::uint16_t type, std::size_t bytes, const Pack& pack) {
  MiddleSection out{type, 0, std::vector<std::byte>(bytes)};
  pack(std::span(out.bytes));
  return out;
}

// The sections to write between the configuration and the table. The table goes before the optional
// ones: an older program, which does not know all of them, may have filled its slots to the last
// entry. If there is no room, these are left out from the end: the evidence first, because it is
// renewed all the time, then the history, then the facts.
std::vector<MiddleSection> middle_sections(const BodyName& name, const Records& content,
                                           std::size_t entries) {
  std::vector<MiddleSection> required;
  if (content.grown_spare) {
    required.push_back(packed(kGrownSpareType, kGrownSpareBytes, [&](std::span<std::byte> out) {
      pack_grown_spare(*content.grown_spare, out);
    }));
    required.back().flags = kRequired;
  }
  std::vector<MiddleSection> known;
  if (content.copy && content.copy->sequence == name.sequence) {
    known.push_back(packed(kCopyRecordType, kCopyRecordBytes, [&](std::span<std::byte> out) {
      pack_copy_record(*content.copy, out);
    }));
  }
  if (content.facts) {
    known.push_back(packed(kRecordedFactsType, kRecordedFactsBytes, [&](std::span<std::byte> out) {
      pack_recorded_facts(*content.facts, name.term, out);
    }));
  }
  // History and evidence are always written together with the facts, empty if need be. A section
  // that came and went would move the whole table, and every block of it would be written again.
  if (content.facts || !content.health.later_events.empty()) {
    known.push_back(packed(kHistoryType, kHistoryBytes, [&](std::span<std::byte> out) {
      pack_history(content.health.later_events, out);
    }));
  }
  if (content.evidence || content.facts) {
    known.push_back(packed(kEvidenceType, kEvidenceBytes, [&](std::span<std::byte> out) {
      pack_evidence(content.evidence.value_or(Evidence{}), name.term, out);
    }));
  }
  for (;;) {
    std::vector<MiddleSection> out = required;
    out.insert(out.end(), known.begin(), known.end());
    out.insert(out.end(), content.unknown.begin(), content.unknown.end());
    const bool fits = out.size() + kRequiredSections <= kMaxSections &&
                      table_offset(out) + entries * kEntryBytes <= kStreamBytes;
    if (fits || known.empty()) return out;
    known.pop_back();
  }
}

void put_section(std::span<std::byte> stream, std::size_t index, const Section& section) {
  const auto out = stream.subspan(kDirectory + index * kDirectoryEntryBytes, kDirectoryEntryBytes);
  store_le(out, 0, section.type);
  store_le(out, 2, section.flags);
  store_le(out, 4, section.offset);
  store_le(out, 8, section.length);
  store_le(out, 12, section.crc);
}

void put_header(std::span<std::byte> stream, const BodyName& name, std::size_t sections,
                std::size_t blocks) {
  put_text(stream, 0, kMagic);
  put_bytes(stream, kSetUuid, name.set_uuid.bytes);
  store_le(stream, kSequence, name.sequence);
  store_le(stream, kTerm, name.term);
  put_bytes(stream, kCommit, name.commit.bytes);
  put_bytes(stream, kParent, name.parent.bytes);
  store_le(stream, kWall, name.wall_ns);
  store_le(stream, kSectionCount, static_cast<std::uint32_t>(sections));
  store_le(stream, kBlockCount, static_cast<std::uint32_t>(blocks));
}

}  // namespace

bool sections_fit(const Records& records) {
  const std::size_t grown = records.grown_spare ? 1 : 0;
  return kRequiredSections + grown + records.unknown.size() <= kMaxSections &&
         table_offset(records.unknown, grown * kGrownSpareBytes) <= kStreamBytes;
}

std::size_t table_capacity(const std::vector<UnknownSection>& unknown, bool is_grown) {
  const std::size_t offset = table_offset(unknown, is_grown ? kGrownSpareBytes : 0);
  return offset >= kStreamBytes ? 0 : (kStreamBytes - offset) / kEntryBytes;
}

std::vector<std::byte> EncodedBody::bytes() const {
  std::vector<std::byte> out;
  out.reserve(blocks.size() * kBlockBytes);
  for (const auto& block : blocks) {
    out.insert(out.end(), block->bytes().begin(), block->bytes().end());
  }
  return out;
}

std::vector<std::byte> encoded_body(const BodyName& name, const Content& content) {
  std::vector<Extent> entries = content.extents;
  entries.insert(entries.end(), content.retired.begin(), content.retired.end());
  TableImage table(std::move(entries));
  return encode_body(name, content, table).bytes();
}

EncodedBody encode_body(const BodyName& name, const Records& records, TableImage& table_image) {
  const std::size_t entries = table_image.entries().size();
  DMREMAP_ASSERT(entries <= table_capacity(records.unknown, records.grown_spare.has_value()));
  const auto middle = middle_sections(name, records, entries);
  DMREMAP_ASSERT(middle.size() + kRequiredSections <= kMaxSections);
  const auto set_tag = std::span(name.set_uuid.bytes).first<8>();
  const std::size_t table_at = table_offset(middle);
  EncodedBody out;
  out.table_block = table_at / kPayloadBytes;
  const BodyBlocks& table_blocks = table_image.blocks(out.table_block, set_tag);

  std::vector<std::byte> bytes(table_at);
  const std::span stream(bytes);
  const auto put = [&](std::size_t index, std::uint16_t type, std::uint16_t flags, std::size_t at,
                       std::size_t length) {
    put_section(stream, index,
                {type, flags, static_cast<std::uint32_t>(at), static_cast<std::uint32_t>(length),
                 crc32c(stream.subspan(at, length))});
  };
  pack_health(records.health, stream.subspan(kHealthOffset, kHealthBytes));
  pack_identity(records.identity, stream.subspan(kIdentityOffset, kIdentityBytes));
  pack_configuration(records.configuration,
                     stream.subspan(kConfigurationOffset, kConfigurationBytes));
  put(0, identity, kRequired, kIdentityOffset, kIdentityBytes);
  put(1, configuration, kRequired, kConfigurationOffset, kConfigurationBytes);
  put(2, health, kRequired, kHealthOffset, kHealthBytes);
  put_section(stream, 3,
              {table, kRequired, static_cast<std::uint32_t>(table_at),
               static_cast<std::uint32_t>(entries * kEntryBytes), table_image.crc()});
  std::size_t at = kMiddleOffset;
  for (std::size_t i = 0; i < middle.size(); ++i) {
    const MiddleSection& section = middle[i];
    put_bytes(stream, at, section.bytes);
    put(kRequiredSections + i, section.type, section.flags, at, section.bytes.size());
    at += section.bytes.size();
  }
  put_header(stream, name, kRequiredSections + middle.size(),
             out.table_block + table_blocks.size());

  for (std::size_t i = 0; i < out.table_block; ++i) {
    out.blocks.push_back(std::make_shared<const BodyBlock>(
        i, set_tag, stream.subspan(i * kPayloadBytes, kPayloadBytes)));
  }
  out.blocks.insert(out.blocks.end(), table_blocks.begin(), table_blocks.end());
  // The checksum of the body is combined from those of its blocks, so that unchanged blocks are not
  // hashed again.
  static const Crc32cJoin join(kBlockBytes);
  out.crc = crc32c({});
  for (const auto& block : out.blocks) out.crc = join(out.crc, block->crc());
  return out;
}

namespace {

// The payloads of the blocks one after another. Empty if a block does not check, is not at its
// index, or is of another set than the first one.
std::optional<std::vector<std::byte>> stream_of(std::span<const std::byte> blocks) {
  const std::size_t count = blocks.size() / kBlockBytes;
  if (count == 0 || count > kBodyBlocks || blocks.size() % kBlockBytes != 0) return std::nullopt;
  std::vector<std::byte> stream(count * kPayloadBytes);
  const auto tag = load_le<std::uint64_t>(blocks, 8);
  for (std::size_t i = 0; i < count; ++i) {
    const auto block = blocks.subspan(i * kBlockBytes, kBlockBytes);
    if (load_le<std::uint32_t>(block, 0) != crc32c(block.subspan(4)) ||
        load_le<std::uint32_t>(block, 4) != i || load_le<std::uint64_t>(block, 8) != tag) {
      return std::nullopt;
    }
    put_bytes(stream, i * kPayloadBytes, block.subspan(kBlockHeaderBytes));
  }
  return stream;
}

struct Header {
  BodyName name;
  std::vector<Section> sections;
};

std::optional<Header> read_header(std::span<const std::byte> stream, std::size_t blocks) {
  Header out;
  const auto sections = load_le<std::uint32_t>(stream, kSectionCount);
  if (std::memcmp(stream.data(), kMagic.data(), kMagic.size()) != 0 || sections > kMaxSections ||
      load_le<std::uint32_t>(stream, kBlockCount) != blocks ||
      !all_zero(stream.subspan(kZero, kDirectory - kZero)) ||
      !all_zero(stream.subspan(kDirectory + sections * kDirectoryEntryBytes,
                               (kMaxSections - sections) * kDirectoryEntryBytes))) {
    return std::nullopt;
  }
  get_bytes(stream, kSetUuid, out.name.set_uuid.bytes);
  out.name.sequence = load_le<std::uint64_t>(stream, kSequence);
  out.name.term = load_le<std::uint64_t>(stream, kTerm);
  get_bytes(stream, kCommit, out.name.commit.bytes);
  get_bytes(stream, kParent, out.name.parent.bytes);
  out.name.wall_ns = load_le<std::uint64_t>(stream, kWall);
  for (std::size_t i = 0; i < sections; ++i) {
    const auto from = stream.subspan(kDirectory + i * kDirectoryEntryBytes, kDirectoryEntryBytes);
    if (!all_zero(from.subspan(16))) return std::nullopt;
    out.sections.push_back({load_le<std::uint16_t>(from, 0), load_le<std::uint16_t>(from, 2),
                            load_le<std::uint32_t>(from, 4), load_le<std::uint32_t>(from, 8),
                            load_le<std::uint32_t>(from, 12)});
  }
  return out;
}

// Sorts the entries into extents and retired ones, and checks that no two of them name the same
// sector of main or of the spare.
bool read_table(std::span<const std::byte> bytes, DecodedBody& out) {
  if (bytes.size() % kEntryBytes != 0) return false;
  std::vector<Extent> entries;
  std::vector<Extent> by_spare;
  entries.reserve(bytes.size() / kEntryBytes);
  out.content.extents.reserve(entries.capacity());
  by_spare.reserve(entries.capacity());
  for (std::size_t at = 0; at < bytes.size(); at += kEntryBytes) {
    const auto extent = ExtentCodec::unpack(bytes.subspan(at, kEntryBytes));
    if (!extent) return false;
    entries.push_back(*extent);
    if (extent->state() == State::good) continue;
    (extent->state() == State::retired ? out.content.retired : out.content.extents)
        .push_back(*extent);
    if (extent->state() == State::retired || extent->state() == State::remapped) {
      by_spare.push_back(*extent);
    }
  }
  const auto main_order = [](const Extent& a, const Extent& b) {
    return a.main().first < b.main().first;
  };
  const auto spare_order = [](const Extent& a, const Extent& b) {
    return a.spare().first < b.spare().first;
  };
  std::sort(out.content.extents.begin(), out.content.extents.end(), main_order);
  std::sort(out.content.retired.begin(), out.content.retired.end(), spare_order);
  std::sort(by_spare.begin(), by_spare.end(), spare_order);
  out.entries = std::move(entries);
  const auto main_overlap = [](const Extent& a, const Extent& b) {
    return a.main().end() > b.main().first;
  };
  const auto spare_overlap = [](const Extent& a, const Extent& b) {
    return a.spare().end() > b.spare().first;
  };
  const auto& extents = out.content.extents;
  return std::adjacent_find(extents.begin(), extents.end(), main_overlap) == extents.end() &&
         std::adjacent_find(by_spare.begin(), by_spare.end(), spare_overlap) == by_spare.end();
}

// True if the sections lie after the header, do not overlap, and have only zeros between them. Then
// unknown sections that are carried along always fit into the next body.
bool lie_apart(std::vector<Section> sections, std::span<const std::byte> stream) {
  std::sort(sections.begin(), sections.end(), [](const Section& a, const Section& b) {
    return std::pair(a.offset, a.length) < std::pair(b.offset, b.length);
  });
  std::size_t end = kHeaderBytes;
  for (const Section& section : sections) {
    if (section.offset < end || section.offset > stream.size() ||
        section.length > stream.size() - section.offset ||
        !all_zero(stream.subspan(end, section.offset - end))) {
      return false;
    }
    end = section.offset + section.length;
  }
  return all_zero(stream.subspan(end));
}

constexpr bool is_optional(std::uint16_t type) {
  return type == kCopyRecordType || type == kRecordedFactsType || type == kEvidenceType ||
         type == kHistoryType;
}

// Reads an optional section. One that makes no sense, or names another commit or opening than this
// body, is ignored and not carried along. Of two sections of one type the later one is taken.
void read_optional(std::uint16_t type, std::span<const std::byte> bytes, DecodedBody& out) {
  Content& content = out.content;
  switch (type) {
    case kCopyRecordType:
      content.copy = unpack_copy_record(bytes, out.name.sequence);
      break;
    case kRecordedFactsType:
      content.facts = unpack_recorded_facts(bytes, out.name.term);
      break;
    case kEvidenceType:
      content.evidence = unpack_evidence(bytes, out.name.term);
      break;
    default:
      content.health.later_events = unpack_history(bytes).value_or(std::vector<Event>());
  }
}

std::optional<BodyFault> read_section(const Section& section, std::span<const std::byte> bytes,
                                      std::array<unsigned, 5>& seen, DecodedBody& out) {
  if (section.type == kGrownSpareType) {
    if (section.flags != kRequired || out.content.grown_spare) return BodyFault::header;
    out.content.grown_spare = unpack_grown_spare(bytes);
    return out.content.grown_spare ? std::nullopt : std::optional(BodyFault::section);
  }
  const bool known = section.type >= identity && section.type <= health;
  if (!known) {
    if ((section.flags & kRequired) != 0) return BodyFault::required;
    if (section.flags == 0 && is_optional(section.type)) {
      read_optional(section.type, bytes, out);
      return std::nullopt;
    }
    out.content.unknown.push_back(
        {section.type, section.flags, std::vector<std::byte>(bytes.begin(), bytes.end())});
    return std::nullopt;
  }
  if (++seen[section.type] > 1 || section.flags != kRequired) return BodyFault::header;
  const auto take = [](auto& to, auto from) {
    if (from) to = std::move(*from);
    return from.has_value();
  };
  Content& content = out.content;
  switch (section.type) {
    case identity:
      return take(content.identity, unpack_identity(bytes)) ? std::nullopt
                                                            : std::optional(BodyFault::section);
    case configuration:
      return take(content.configuration, unpack_configuration(bytes))
                 ? std::nullopt
                 : std::optional(BodyFault::section);
    case health: {
      auto unpacked = unpack_health(bytes);
      if (!unpacked) return BodyFault::section;
      unpacked->later_events = std::move(content.health.later_events);
      content.health = std::move(*unpacked);
      return std::nullopt;
    }
    default:
      return BodyFault::header;
  }
}

// Reads the records, which are all sections of `header` except the table.
std::optional<BodyFault> read_records(const Header& header, std::span<const std::byte> stream,
                                      DecodedBody& out) {
  std::array<unsigned, 5> seen{};
  out.name = header.name;
  for (const Section& section : header.sections) {
    if (section.type == table) {
      // Counted here, read by read_table().
      if (++seen[table] > 1 || section.flags != kRequired) return BodyFault::header;
      continue;
    }
    const auto part = stream.subspan(section.offset, section.length);
    if (section.crc != crc32c(part)) return BodyFault::section;
    if (const auto fault = read_section(section, part, seen, out)) return *fault;
  }
  for (const SectionType type : {identity, configuration, health, table}) {
    if (seen[type] != 1) return BodyFault::header;
  }
  if (out.content.identity.set_uuid != out.name.set_uuid) return BodyFault::section;
  const auto& grown = out.content.grown_spare;
  if (!grown) return std::nullopt;
  // Smaller sizes than kMinSpareSize have no copies.
  const SectorCount made = out.content.identity.spare.size;
  if (made < kMinSpareSize || !is_grown_size(made, *grown)) return BodyFault::section;
  return std::nullopt;
}

}  // namespace

bool records_decode(const EncodedBody& body) {
  std::vector<std::byte> bytes;
  for (std::size_t i = 0; i < body.table_block; ++i) {
    const auto block = body.blocks[i]->bytes();
    bytes.insert(bytes.end(), block.begin(), block.end());
  }
  const auto stream = stream_of(bytes);
  const auto header = stream ? read_header(*stream, body.blocks.size()) : std::nullopt;
  DecodedBody out;
  return header && !read_records(*header, *stream, out);
}

bool extents_fit(const Records& records, std::span<const Extent> extents) {
  if (extents.empty()) return true;
  const Identity& identity = records.identity;
  const SectorCount usable = usable_spare_size(records);
  if (identity.spare.size < kMinSpareSize) return false;
  const std::vector<SectorRange> reserved = reserved_ranges(identity.spare.size, usable);
  const auto on_spare = [&](SpareRange place) {
    const SectorRange range = place.sectors();
    return place.first.index == kFirstSpare && range.end().value <= usable.value &&
           std::ranges::none_of(reserved, [&](SectorRange area) { return range.overlaps(area); });
  };
  return std::all_of(extents.begin(), extents.end(), [&](const Extent& extent) {
    switch (extent.state()) {
      case State::retired:
        return on_spare(extent.spare());
      case State::remapped:
        if (!on_spare(extent.spare())) return false;
        break;
      default:
        break;
    }
    return extent.main().end().value <= identity.main.size.value;
  });
}

std::variant<DecodedBody, BodyFault> decode_body(std::span<const std::byte> blocks) {
  const auto bytes = stream_of(blocks);
  if (!bytes) return BodyFault::block;
  const std::span<const std::byte> stream(*bytes);
  const auto header = read_header(stream, stream.size() / kPayloadBytes);
  if (!header) return BodyFault::header;
  if (!lie_apart(header->sections, stream)) return BodyFault::section;
  DecodedBody out;
  if (const auto fault = read_records(*header, stream, out)) return *fault;
  const auto entries = std::find_if(header->sections.begin(), header->sections.end(),
                                    [](const Section& section) { return section.type == table; });
  const auto part = stream.subspan(entries->offset, entries->length);
  if (entries->crc != crc32c(part)) return BodyFault::section;
  if (!read_table(part, out) || !extents_fit(out.content, out.content.extents) ||
      !extents_fit(out.content, out.content.retired)) {
    return BodyFault::table;
  }
  // This program packs the sections as tightly as it can and begins the table at a block boundary.
  // A body that another program packed more tightly could be read, but not be written again.
  const bool is_grown = out.content.grown_spare.has_value();
  if (out.entries.size() > table_capacity(out.content.unknown, is_grown)) return BodyFault::table;
  return out;
}

}  // namespace dmremap::format
