// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_trial.hpp"

#include <optional>
#include <vector>

#include <fmt/format.h>

namespace dmremap::remap {

namespace {

// Errors cluster: each place is tried as far behind the one before as four times the last step, so
// that the eighth is several MiB from the first.
constexpr unsigned kPlaces = 8;
constexpr std::uint64_t kStepFactor = 4;

// Writes one unit of zeros to `at` and makes it durable.
io::IoStatus write_durably(SpareDevice& spare, Sector at, std::span<const std::byte> zeroes) {
  const FlushGate::Mark mark = spare.gate.mark();
  const io::IoStatus status = spare.write(at, zeroes);
  return status.ok() ? spare.flush_since(mark) : status;
}

}  // namespace

SpareTrial trial_of(io::Fault fault, int error) {
  if (fault == io::Fault::device) return {SpareState::away, trip_reason("the spare", error)};
  return {SpareState::refuses,
          fmt::format("the spare takes no writes ({})", io::errno_name(error))};
}

SpareTrial try_spare(DataPath& path, SpareDevice& spare) {
  table::Allocator& allocator = spare.allocator;
  const auto zeroes = path.zeroes.span().first(path.unit().bytes());
  // The trial leaves no trace in where the next remap looks for a place.
  const SpareAddress position = allocator.position();
  std::vector<SpareRange> taken;
  std::optional<SpareTrial> failed;
  unsigned failures = 0;
  std::uint64_t step = path.unit().value;
  for (unsigned i = 0; i < kPlaces; ++i, step *= kStepFactor) {
    const std::optional<SpareRange> run = allocator.allocate({step});
    // A full spare has no place to be tried at; that it is full is a condition of its own.
    if (!run) break;
    taken.push_back(*run);
    const io::IoStatus status = write_durably(spare, run->first.sector, zeroes);
    if (status.ok()) {
      failed.reset();
      break;
    }
    ++failures;
    const io::Fault fault = spare.diagnose(status.error);
    failed = trial_of(fault, status.error);
    if (fault != io::Fault::media) break;
  }
  for (auto run = taken.rbegin(); run != taken.rend(); ++run) allocator.give_back(*run);
  allocator.go_to(position);
  SpareTrial out = failed.value_or(SpareTrial{});
  out.failures = failures;
  return out;
}

}  // namespace dmremap::remap
