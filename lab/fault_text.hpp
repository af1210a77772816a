// SPDX-License-Identifier: GPL-2.0-or-later
// Faults as text: kinds as people type them, and the two file forms.
//
// A list keeps everything: one `KIND[+KIND...] RANGE` a line, `#` starts a comment.
// A GNU ddrescue mapfile (https://www.gnu.org/software/ddrescue/manual, "Mapfile structure") knows
// only bad and good: its bad-sector areas (`-`) are read faults, everything else is healthy.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "fault_map.hpp"

namespace dmremap::lab {

// `KIND[+KIND...]`, KIND one of read[:ERRNO] write[:ERRNO] until-written slow:MS flaky:P.
[[nodiscard]] Result<Fault> parse_kinds(std::string_view text);

// In the order and form that parse_kinds takes; EIO is left out.
[[nodiscard]] std::vector<std::string> kinds_of(const Fault& fault);
[[nodiscard]] std::string print_kinds(const Fault& fault);

// RANGE as it is typed.
[[nodiscard]] std::string print_range(SectorRange range);

// Reads either form; which one, the first line that is no comment shows. `name` is for messages,
// which give the line.
[[nodiscard]] Result<std::vector<FaultRun>> parse_fault_file(std::string_view text,
                                                             const std::string& name);

[[nodiscard]] std::string print_list(const std::vector<FaultRun>& runs);

// Covers the whole disk. Only read faults survive; lost_in_mapfile() tells whether that is less
// than there was.
[[nodiscard]] std::string print_mapfile(const std::vector<FaultRun>& runs, SectorCount size);
[[nodiscard]] bool lost_in_mapfile(const std::vector<FaultRun>& runs);

}  // namespace dmremap::lab
