// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/known_bad_source.hpp"

#include <utility>

namespace dmremap::transfer {

namespace {

tl::unexpected<Error> about(const std::string& path, Error error) {
  if (error.where.empty()) error.where = path;
  return tl::unexpected(std::move(error));
}

}  // namespace

Result<KnownBadMarks> read_marks(const KnownBadSource& source, const std::string& main_path,
                                 const io::Geometry& main) {
  if (source.path.empty()) return KnownBadMarks{};
  const auto list = read_known_bad(source.path, source.form);
  if (!list) return failure_of(list);
  const auto place = find_place(source.place, main_path);
  if (!place) return failure_of(place);
  auto doubts = doubts_about(*list, source.path, *place, main_path, main.size);
  if (!doubts) return failure_of(doubts);
  auto placed = place_on_main(*list, *place, main.size);
  if (!placed) return about(source.path, placed.error());
  io::Geometry blocks = main;
  if (source.round) blocks.logical_block_bytes = main.physical_block_bytes;
  auto fitted = table::fit_to_main(placed->sectors, blocks);
  if (!fitted) return about(source.path, fitted.error());
  return KnownBadMarks{std::move(*fitted), placed->left_out, std::move(*doubts)};
}

}  // namespace dmremap::transfer
