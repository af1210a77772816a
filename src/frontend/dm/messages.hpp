// SPDX-License-Identifier: GPL-2.0-or-later
// What the engine and the kernel target say to each other, as text: kernel/dm-remap-protocol.h has
// the verbs, docs/kernel.md what they mean. Pure functions; whoever sends a message takes an errno
// that comes instead of an answer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::dm {

// One table of the target, by the number that it drew when it was made. What one table was told, or
// has answered, means nothing for the next one.
struct TableInstance {
  std::uint64_t number;
  bool operator==(const TableInstance&) const = default;
};

// What the target says by an errno, or by what its answer begins with. `where`: its device, if it
// is known.
[[nodiscard]] Error other_protocol(std::string where = {});
[[nodiscard]] Error other_table(std::string where = {});

struct RegionRange {
  std::uint32_t first;
  std::uint32_t count;
  bool operator==(const RegionRange&) const = default;
};

// Epochs of flushes wrap around after 2^32.
struct Epoch {
  std::uint32_t number;
  bool operator==(const Epoch&) const = default;
};

// --- messages --------------------------------------------------------------------------------

[[nodiscard]] std::string hello_message();
// Of at least one range each.
[[nodiscard]] std::string mark_message(TableInstance to, std::span<const RegionRange> ranges);
[[nodiscard]] std::string clear_message(TableInstance to, std::span<const RegionRange> ranges);
// The target refuses more than DM_REMAP_DRAIN_MS_MAX: what is longer is asked for again and again.
[[nodiscard]] std::string drain_message(TableInstance to, std::uint32_t milliseconds,
                                        std::span<const RegionRange> ranges);
[[nodiscard]] std::string marks_message(TableInstance to, std::uint32_t from);
[[nodiscard]] std::string dirty_message(TableInstance to, std::uint32_t from);
[[nodiscard]] std::string written_message(TableInstance to, Epoch after, std::uint32_t from);
[[nodiscard]] std::string epoch_message(TableInstance to);
[[nodiscard]] std::string settle_message(TableInstance to, Epoch epoch);
[[nodiscard]] std::string slow_message(TableInstance to, std::uint32_t limit_ms,
                                       std::uint32_t from);

// --- answers ---------------------------------------------------------------------------------
// An answer that is empty, of another protocol or of another table is an error:
// ErrorCode::protocol. Device mapper may report success for a message that reached no table.

struct Hello {
  TableInstance table;
  std::uint32_t regions;
  SectorCount region_sectors;
};
// The only answer from which a table is learnt.
[[nodiscard]] Result<Hello> parse_hello(std::string_view answer);

// Of mark and drain: bios in flight on main. Of clear: regions that were marked.
[[nodiscard]] Result<std::uint64_t> parse_count(std::string_view answer, TableInstance from);

// Of marks, dirty and written.
struct RegionList {
  std::vector<RegionRange> ranges;
  std::uint32_t next;  // where to go on; the number of regions if there are no more
};
[[nodiscard]] Result<RegionList> parse_regions(std::string_view answer, TableInstance from);

struct Epochs {
  Epoch ended;
  Epoch durable;
};
[[nodiscard]] Result<Epochs> parse_epochs(std::string_view answer, TableInstance from);
// Of settle.
[[nodiscard]] Result<Epoch> parse_durable(std::string_view answer, TableInstance from);

struct SlowRequest {
  SectorRange range;
  bool write;
  std::uint32_t milliseconds;
};
struct SlowRequests {
  std::vector<SlowRequest> requests;
  std::uint32_t next;
};
[[nodiscard]] Result<SlowRequests> parse_slow(std::string_view answer, TableInstance from);

// The status line, less `START LENGTH remap`. Words that it does not know are passed over: a newer
// module of the same protocol may have more.
struct TargetStatus {
  TableInstance table{};
  std::uint64_t regions = 0;
  std::uint64_t marked = 0;
  std::uint64_t sent = 0;
  std::uint64_t waiting = 0;
  std::uint64_t escalated = 0;
  std::uint64_t failed = 0;
};
[[nodiscard]] Result<TargetStatus> parse_status(std::string_view status);

}  // namespace dmremap::dm
