// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/export_choice.hpp"

#include <algorithm>

#include "daemon/nbd_server.hpp"

namespace dmremap::cli {

using daemon::ExportKind;

Result<std::vector<ExportKind>> parse_exports(const std::vector<std::string>& texts) {
  std::vector<ExportKind> out;
  for (const std::string& text : texts) {
    const auto kind = daemon::parse_export(text);
    if (!kind) return failure_of(kind);
    out.push_back(*kind);
  }
  if (asks_for_nbd(out) && out.size() > 1) {
    return fail(ErrorCode::usage,
                "NBD is served by a process of its own, which serves nothing else", "--export nbd",
                "give it alone; `nbdfuse` or `nbd-client` make a file or a device");
  }
  return out;
}

bool asks_for_nbd(const std::vector<ExportKind>& kinds) {
  return std::ranges::find(kinds, ExportKind::nbd) != kinds.end();
}

bool wants_nbd(const std::vector<ExportKind>& kinds) {
  if (asks_for_nbd(kinds)) return true;
  const bool any =
      std::ranges::all_of(kinds, [](ExportKind kind) { return kind == ExportKind::automatic; });
  return any && !daemon::can_mount() && daemon::check_nbd_server();
}

}  // namespace dmremap::cli
