// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/export_choice.hpp"

#include <algorithm>

#include "daemon/local_exports.hpp"
#include "daemon/nbdkit_process.hpp"
#include "daemon/set_exports.hpp"
#include "discovery/host_configuration.hpp"

namespace dmremap::cli {

using daemon::ExportKind;

Result<std::vector<ExportKind>> parse_exports(const std::vector<std::string>& texts) {
  std::vector<ExportKind> out;
  const auto& defaults = discovery::host_configuration().exports;
  for (const std::string& text : texts.empty() && !defaults.empty() ? defaults : texts) {
    const auto kind = daemon::parse_export(text);
    if (!kind) return failure_of(kind);
    out.push_back(*kind);
  }
  if (out.empty()) out.push_back(ExportKind::automatic);
  return out;
}

bool asks_for_nbd(const std::vector<ExportKind>& kinds) {
  return std::ranges::find(kinds, ExportKind::nbd) != kinds.end();
}

std::vector<ExportKind> possible_exports(std::vector<ExportKind> kinds) {
  const bool any =
      std::ranges::all_of(kinds, [](ExportKind kind) { return kind == ExportKind::automatic; });
  // Whoever may mount is not asked for ublk here: that may load a module, and is the set's
  // process's.
  if (any && !daemon::can_mount() && !daemon::can_serve_ublk() && daemon::check_nbd_server()) {
    std::ranges::fill(kinds, ExportKind::nbd);
  }
  return kinds;
}

}  // namespace dmremap::cli
