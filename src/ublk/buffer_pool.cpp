// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/buffer_pool.hpp"

#include <algorithm>

namespace dmremap::ublk {

namespace {

std::size_t pages_of(std::size_t bytes) {
  return (bytes + BufferPool::kPageBytes - 1) / BufferPool::kPageBytes;
}

}  // namespace

BufferPool::BufferPool(std::size_t bytes)
    : memory_(pages_of(bytes) * kPageBytes), used_(pages_of(bytes), 0) {}

// First from where the last search ended, so that many small requests do not look at the same used
// pages again and again.
std::size_t BufferPool::find_free(std::size_t pages) const {
  const std::size_t total = used_.size();
  const auto first_fit = [&](std::size_t from, std::size_t to) {
    std::size_t run = 0;
    for (std::size_t at = from; at < to; ++at) {
      run = used_[at] != 0 ? 0 : run + 1;
      if (run == pages) return at + 1 - pages;
    }
    return total;
  };
  const std::size_t found = first_fit(next_, total);
  return found != total ? found : first_fit(0, std::min(total, next_ + pages - 1));
}

void BufferPool::set_used(std::size_t first, std::size_t pages, bool used) {
  std::fill_n(used_.begin() + static_cast<std::ptrdiff_t>(first), pages, used ? 1 : 0);
}

BufferPool::Lease BufferPool::take(std::size_t bytes, Waiter& waiter) {
  const std::size_t pages = pages_of(bytes);
  const std::lock_guard lock(mutex_);
  const bool its_turn = waiting_.empty() || waiting_.front() == &waiter;
  const std::size_t first = its_turn && pages != 0 ? find_free(pages) : used_.size();
  if (first == used_.size()) {
    if (std::find(waiting_.begin(), waiting_.end(), &waiter) == waiting_.end()) {
      waiting_.push_back(&waiter);
    }
    return {};
  }
  if (!waiting_.empty()) {
    waiting_.pop_front();
    // There may be room for the next one, too.
    if (!waiting_.empty()) waiting_.front()->memory_may_be_there();
  }
  set_used(first, pages, true);
  next_ = first + pages;
  return {this, memory_.span().subspan(first * kPageBytes, bytes)};
}

void BufferPool::forget(Waiter& waiter) {
  const std::lock_guard lock(mutex_);
  const bool was_first = !waiting_.empty() && waiting_.front() == &waiter;
  std::erase(waiting_, &waiter);
  if (was_first && !waiting_.empty()) waiting_.front()->memory_may_be_there();
}

void BufferPool::give_back(std::span<std::byte> data) {
  const auto begin = static_cast<std::size_t>(data.data() - memory_.span().data());
  const std::lock_guard lock(mutex_);
  set_used(begin / kPageBytes, pages_of(data.size()), false);
  if (!waiting_.empty()) waiting_.front()->memory_may_be_there();
}

}  // namespace dmremap::ublk
