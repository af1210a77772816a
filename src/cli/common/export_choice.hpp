// SPDX-License-Identifier: GPL-2.0-or-later
// The exports that `--export` of `start` and `assemble` asks for.
#pragma once

#include <string>
#include <vector>

#include "base/result.hpp"
#include "daemon/exports.hpp"

namespace dmremap::cli {

// Without any, those of dmremap.conf(5), or auto. Errors: usage (no such kind); not_supported.
[[nodiscard]] Result<std::vector<daemon::ExportKind>> parse_exports(
    const std::vector<std::string>& texts);

// NBD is among them.
[[nodiscard]] bool asks_for_nbd(const std::vector<daemon::ExportKind>& kinds);
// Where anything will do, nothing can be mounted here, and NBD can be had, it is NBD.
[[nodiscard]] std::vector<daemon::ExportKind> possible_exports(
    std::vector<daemon::ExportKind> kinds);

}  // namespace dmremap::cli
