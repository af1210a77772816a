// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/dm/target_control.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"
#include "dm-remap-protocol.h"

namespace dmremap::dm {

namespace {

using std::chrono::milliseconds;

// Of one message: device mapper copies it into memory of the kernel's.
constexpr std::size_t kRangesMax = 512;

// Calls `act` for parts of the ranges that fit a message, until one fails.
template <typename Act>
Result<void> in_parts(std::span<const RegionRange> ranges, const Act& act) {
  while (!ranges.empty()) {
    const auto part = ranges.first(std::min(ranges.size(), kRangesMax));
    if (Result<void> done = act(part); !done) {
      return done;
    }
    ranges = ranges.subspan(part.size());
  }
  return {};
}

}  // namespace

Result<TargetControl> TargetControl::attach(Send send) {
  const Result<std::string> answer = send(hello_message());
  if (!answer) {
    return failure_of(answer);
  }
  const Result<Hello> hello = parse_hello(*answer);
  if (!hello) {
    return failure_of(hello);
  }
  if (hello->regions == 0 || hello->region_sectors.value == 0) {
    return fail(ErrorCode::protocol, "the kernel target says that it has no regions");
  }
  return TargetControl(std::move(send), *hello);
}

RegionRange TargetControl::regions_of(SectorRange range) const {
  const std::uint64_t sectors = hello_.region_sectors.value;
  const std::uint64_t first = range.first.value / sectors;
  const std::uint64_t last = (range.first.value + range.count.value - 1) / sectors;
  DMREMAP_ASSERT(range.count.value > 0 && last < hello_.regions);
  return {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last - first + 1)};
}

Result<std::uint64_t> TargetControl::count(const std::string& message) const {
  const Result<std::string> answer = send_(message);
  if (!answer) {
    return failure_of(answer);
  }
  return parse_count(*answer, hello_.table);
}

Result<void> TargetControl::mark(std::span<const RegionRange> ranges) const {
  return in_parts(ranges, [&](std::span<const RegionRange> part) -> Result<void> {
    const auto in_flight = count(mark_message(hello_.table, part));
    return in_flight ? Result<void>{} : failure_of(in_flight);
  });
}

Result<void> TargetControl::clear(std::span<const RegionRange> ranges) const {
  return in_parts(ranges, [&](std::span<const RegionRange> part) -> Result<void> {
    const auto were_marked = count(clear_message(hello_.table, part));
    return were_marked ? Result<void>{} : failure_of(were_marked);
  });
}

Result<void> TargetControl::drain(std::span<const RegionRange> ranges,
                                  milliseconds patience) const {
  // A message that was answered with what is left has waited for as long as it was allowed to.
  return in_parts(ranges, [&](std::span<const RegionRange> part) -> Result<void> {
    for (;;) {
      const milliseconds step = std::min(patience, milliseconds(DM_REMAP_DRAIN_MS_MAX));
      const auto left =
          count(drain_message(hello_.table, static_cast<std::uint32_t>(step.count()), part));
      if (!left) {
        return failure_of(left);
      }
      if (*left == 0) {
        return {};
      }
      patience -= step;
      if (patience <= milliseconds(0)) {
        return fail(ErrorCode::timeout, "requests to main have not ended", "",
                    "does the disk hang? see the kernel's log");
      }
    }
  });
}

template <typename Message>
Result<std::vector<RegionRange>> TargetControl::list(const Message& message) const {
  std::vector<RegionRange> all;
  for (std::uint32_t from = 0; from < hello_.regions;) {
    const Result<std::string> answer = send_(message(from));
    if (!answer) {
      return failure_of(answer);
    }
    const Result<RegionList> part = parse_regions(*answer, hello_.table);
    if (!part) {
      return failure_of(part);
    }
    if (part->next <= from) {
      return fail(ErrorCode::protocol, "a list of the kernel target does not go on");
    }
    all.insert(all.end(), part->ranges.begin(), part->ranges.end());
    from = part->next;
  }
  return all;
}

Result<std::vector<RegionRange>> TargetControl::marked() const {
  return list([&](std::uint32_t from) { return marks_message(hello_.table, from); });
}

Result<std::vector<RegionRange>> TargetControl::dirty() const {
  return list([&](std::uint32_t from) { return dirty_message(hello_.table, from); });
}

Result<std::vector<RegionRange>> TargetControl::written_after(Epoch epoch) const {
  return list([&](std::uint32_t from) { return written_message(hello_.table, epoch, from); });
}

// The first answer tells: a list is in order, and one that is not at its end has something in it.
Result<std::optional<RegionRange>> TargetControl::first_written_after(Epoch epoch) const {
  const Result<std::string> answer = send_(written_message(hello_.table, epoch, 0));
  if (!answer) {
    return failure_of(answer);
  }
  const Result<RegionList> part = parse_regions(*answer, hello_.table);
  if (!part) return failure_of(part);
  if (part->ranges.empty()) return std::nullopt;
  return part->ranges.front();
}

Result<Epochs> TargetControl::end_epoch() const {
  const Result<std::string> answer = send_(epoch_message(hello_.table));
  if (!answer) {
    return failure_of(answer);
  }
  return parse_epochs(*answer, hello_.table);
}

Result<void> TargetControl::settle(Epoch epoch) const {
  const Result<std::string> answer = send_(settle_message(hello_.table, epoch));
  if (!answer) {
    return failure_of(answer);
  }
  const Result<Epoch> durable = parse_durable(*answer, hello_.table);
  return durable ? Result<void>{} : failure_of(durable);
}

Result<std::vector<SlowRequest>> TargetControl::take_slow(milliseconds limit) {
  const Result<std::string> answer =
      send_(slow_message(hello_.table, static_cast<std::uint32_t>(limit.count()), next_slow_));
  if (!answer) {
    return failure_of(answer);
  }
  Result<SlowRequests> slow = parse_slow(*answer, hello_.table);
  if (!slow) {
    return failure_of(slow);
  }
  next_slow_ = slow->next;
  return std::move(slow->requests);
}

}  // namespace dmremap::dm
