// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/exports.hpp"

namespace dmremap::daemon {

Result<ExportKind> parse_export(const std::string& text) {
  if (text == "auto") return ExportKind::automatic;
  if (text == "fuse") return ExportKind::fuse;
  if (text == "block") return ExportKind::block;
  if (text == "nbd") return ExportKind::nbd;
  if (text == "ublk" || text == "dm") {
    return fail(ErrorCode::not_supported, "this version has no such export", text,
                "use `--export block`, `--export fuse` or `--export nbd`");
  }
  return fail(ErrorCode::usage, "not a kind of export", text,
              "use `block`, `fuse`, `nbd` or `auto`");
}

}  // namespace dmremap::daemon
