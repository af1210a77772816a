// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/exports.hpp"

#include <unistd.h>

#include "frontend/dm/set_mappers.hpp"
#include "frontend/ublk/ublk_frontend.hpp"

namespace dmremap::daemon {

Result<ExportKind> parse_export(const std::string& text) {
  if (text == "auto") return ExportKind::automatic;
  if (text == "fuse") return ExportKind::fuse;
  if (text == "block") return ExportKind::block;
  if (text == "nbd") return ExportKind::nbd;
  if (text == "ublk") return ExportKind::ublk;
  if (text == "dm") return ExportKind::dm;
  return fail(ErrorCode::usage, "not a kind of export", text,
              "use `dm`, `ublk`, `block`, `fuse`, `nbd` or `auto`");
}

namespace {

Result<void> clear_target(const format::Identity& identity) {
  // Nobody else could have made one.
  if (::geteuid() != 0) return {};
  const dm::SetMappers names = dm::mappers_of(identity.name, identity.set_uuid);
  const auto left = dm::find_left_mappers(names);
  return left ? dm::clear_left_mappers(names, *left) : failure_of(left);
}

}  // namespace

Result<void> Exports::check_hand_over() const {
  return fail(ErrorCode::not_supported,
              "only a set that is served by ublk, and by nothing else, can be handed over", "",
              "stop it, and start it again");
}

Result<void> ExportMaker::prepare(const format::Identity& identity) {
  if (auto cleared = clear_target(identity); !cleared) return cleared;
  const auto left = frontend::find_left_device(frontend::owner_number(identity.set_uuid), false);
  return left ? Result<void>() : failure_of(left);
}

}  // namespace dmremap::daemon
