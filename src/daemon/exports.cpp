// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/exports.hpp"

#include "frontend/ublk/ublk_frontend.hpp"

namespace dmremap::daemon {

Result<ExportKind> parse_export(const std::string& text) {
  if (text == "auto") return ExportKind::automatic;
  if (text == "fuse") return ExportKind::fuse;
  if (text == "block") return ExportKind::block;
  if (text == "nbd") return ExportKind::nbd;
  if (text == "ublk") return ExportKind::ublk;
  if (text == "dm") {
    return fail(ErrorCode::not_supported, "this version has no such export", text,
                "use `--export ublk`, `--export block`, `--export fuse` or `--export nbd`");
  }
  return fail(ErrorCode::usage, "not a kind of export", text,
              "use `ublk`, `block`, `fuse`, `nbd` or `auto`");
}

Result<void> ExportMaker::prepare(const format::Identity& identity) {
  const auto left = frontend::find_left_device(frontend::owner_number(identity.set_uuid), false);
  return left ? Result<void>() : failure_of(left);
}

}  // namespace dmremap::daemon
