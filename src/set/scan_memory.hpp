// SPDX-License-Identifier: GPL-2.0-or-later
// Where the records of a commit keep what the scanner remembers (format/scan_section.hpp): among
// the sections that are carried along. Its room is taken before the engine starts, because the
// engine counts once how many entries fit the table beside it.
#pragma once

#include <cstddef>
#include <optional>

#include "format/content.hpp"
#include "format/scan_section.hpp"

namespace dmremap::set {

// Adds an empty one, unless there is one, or a table of `entries` leaves no room for it.
void reserve_scan_memory(format::Records& records, std::size_t entries);
// Empty if there is none, or if its bytes make no sense.
[[nodiscard]] std::optional<format::ScanSection> stored_scan(const format::Records& records);
[[nodiscard]] bool has_scan_memory(const format::Records& records);
// Does nothing if there is none.
void store_scan(format::Records& records, const format::ScanSection& scan);

}  // namespace dmremap::set
