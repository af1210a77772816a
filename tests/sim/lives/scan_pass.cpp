// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/lives/scan_pass.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "base/units.hpp"
#include "health/scan_order.hpp"
#include "health/scan_record.hpp"

namespace dmremap::sim {

namespace {

constexpr std::uint64_t kYearsNs = kSecondNs * 86'400 * 365 * 3;
// Each restart has at most a segment of eight pieces read again.
constexpr unsigned kMostReads = 10'000;

// Anywhere within three years of the right time.
std::uint64_t some_wall_ns(std::uint64_t right_ns, Dice& dice) {
  const std::uint64_t earliest = right_ns - std::min(right_ns, kYearsNs);
  return dice.between(earliest, right_ns + kYearsNs);
}

}  // namespace

bool scan_in_order(Stage& stage, SectorCount size, Dice dice) {
  health::ScanOrder order(health::decode_scan_record({}, size));
  order.begin_pass();
  std::vector<bool> was_read(size.value);
  for (unsigned reads = 0;; ++reads) {
    std::uint64_t wall_ns = stage.world.wall_ns();
    if (dice.one_in(4)) wall_ns = some_wall_ns(wall_ns, dice);
    order.advance(stage.world.monotonic_ns(), wall_ns);
    if (dice.one_in(20)) {
      order =
          health::ScanOrder(health::decode_scan_record(encode_scan_record(order.record()), size));
      continue;
    }
    const auto piece = order.next();
    // What lies around trouble may be read after the last step of the pass.
    const bool around = piece && piece->reason == health::ScanReason::surroundings;
    if (order.record().passes != 0 && !around) break;
    if (!piece || reads == kMostReads) throw Broken("a pass of the scan does not end");
    const auto found = stage.engine->scan(piece->sectors, [] { return true; });
    if (!found || !found->complete || stage.crashed()) return false;
    order.finished(found->trouble ? health::ScanResult::trouble : health::ScanResult::good);
    for (std::uint64_t i = 0; i < piece->sectors.count.value; ++i) {
      was_read.at(piece->sectors.first.value + i) = true;
    }
  }
  const auto missed = std::ranges::count(was_read, false);
  if (missed != 0)
    throw Broken(fmt::format("a pass of the scan is over without {} sectors", missed));
  return true;
}

}  // namespace dmremap::sim
