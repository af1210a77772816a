// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/failing_places.hpp"

#include <algorithm>
#include <array>

#include "base/units.hpp"
#include "io/io_status.hpp"

namespace dmremap::remap {

namespace {

// Sooner at first: most of what passes, passes soon.
constexpr std::array<std::uint64_t, 4> kFirstDelaysNs{kSecondNs, 10 * kSecondNs, 60 * kSecondNs,
                                                      600 * kSecondNs};

}  // namespace

bool FailingPlaces::any(SectorRange range) const {
  if (size() == 0) return false;
  const std::lock_guard lock(mutex_);
  auto next = accounts_.lower_bound(range.first.value);
  if (next != accounts_.end() && next->first < range.end().value) return true;
  // Entries are disjoint, so of those that begin earlier only the last can reach into the range.
  if (next == accounts_.begin()) return false;
  --next;
  return next->first + next->second.count > range.first.value;
}

std::vector<FailingPlace> FailingPlaces::list() const {
  const std::lock_guard lock(mutex_);
  std::vector<FailingPlace> out;
  for (const auto& [first, account] : accounts_) {
    out.push_back({{{first}, {account.count}}, account.error});
  }
  return out;
}

std::uint64_t FailingPlaces::delay_ns(unsigned asks) const {
  const bool early = asks <= kFirstDelaysNs.size();
  return early ? std::min(kFirstDelaysNs.at(asks - 1), recheck_ns_) : recheck_ns_;
}

void FailingPlaces::count(Account& account, int error, std::uint64_t now_ns) const {
  ++account.asks;
  account.error = error;
  // A cable or a controller gives any errno but these, and may be well tomorrow.
  if (!io::says_data_is_lost(error)) {
    account.media_errors = 0;
  } else if (account.media_errors++ == 0) {
    account.media_since_ns = now_ns;
  }
  account.due_ns = now_ns + delay_ns(account.asks);
}

bool FailingPlaces::note(SectorRange unit, int error, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const auto [at, is_new] = accounts_.try_emplace(unit.first.value);
  // Known already: reads of users must not hurry the count along.
  if (!is_new) return false;
  at->second.count = unit.count.value;
  count(at->second, error, now_ns);
  size_.store(accounts_.size(), std::memory_order_relaxed);
  return true;
}

std::vector<SectorRange> FailingPlaces::due(std::uint64_t now_ns, std::size_t most) const {
  if (size() == 0) return {};
  std::vector<std::pair<std::uint64_t, SectorRange>> found;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [first, account] : accounts_) {
      if (account.due_ns > now_ns) continue;
      found.emplace_back(account.due_ns, SectorRange{{first}, {account.count}});
    }
  }
  // Those that wait longest go first, or a few that are always due would keep out the rest.
  std::ranges::sort(found);
  std::vector<SectorRange> out;
  for (const auto& one : found) {
    if (out.size() < most) out.push_back(one.second);
  }
  return out;
}

bool FailingPlaces::note_again(SectorRange unit, int error, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const auto at = accounts_.find(unit.first.value);
  if (at == accounts_.end()) return false;
  count(at->second, error, now_ns);
  return at->second.media_errors >= kAsksBeforeGone &&
         now_ns - at->second.media_since_ns >= kRechecksBeforeGone * recheck_ns_;
}

void FailingPlaces::put_off(SectorRange unit, std::uint64_t now_ns) {
  const std::lock_guard lock(mutex_);
  const auto at = accounts_.find(unit.first.value);
  // Soon, and without counting: the device was not there to be asked.
  if (at != accounts_.end()) at->second.due_ns = now_ns + delay_ns(2);
}

void FailingPlaces::clear(SectorRange range) {
  if (size() == 0) return;
  const std::lock_guard lock(mutex_);
  accounts_.erase(accounts_.lower_bound(range.first.value),
                  accounts_.lower_bound(range.end().value));
  size_.store(accounts_.size(), std::memory_order_relaxed);
}

}  // namespace dmremap::remap
