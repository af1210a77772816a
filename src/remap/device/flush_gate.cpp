// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/flush_gate.hpp"

namespace dmremap::remap {

void FlushGate::fail(int error) {
  // Before the count: whoever sees the failure finds its errno.
  last_error_.store(error);
  failures_.fetch_add(1);
}

io::IoStatus FlushGate::flush_locked(Mark since, const std::function<io::IoStatus()>& flush) {
  // Unflushed until the end, for a device that goes meanwhile; but what is written meanwhile may
  // not be covered.
  flushing_.store(true);
  flushing_.store(written_.exchange(false));
  if (const io::IoStatus status = flush(); !status.ok()) fail(status.error);
  flushing_.store(false);
  // A failure since the mark counts even if this flush went well: the kernel reports a lost write
  // to one caller only, and drops it from the cache.
  if (failures_.load() == since) return io::kIoOk;
  return {last_error_.load()};
}

io::IoStatus FlushGate::flush_since(Mark since, const std::function<io::IoStatus()>& flush) {
  const std::lock_guard lock(mutex_);
  return flush_locked(since, flush);
}

FlushGate::UserFlush FlushGate::user_flush(Mark heard, bool only_if_written,
                                           const std::function<io::IoStatus()>& flush) {
  const std::lock_guard lock(mutex_);
  if (only_if_written && !written_.load() && failures_.load() == heard) return {};
  const io::IoStatus status = flush_locked(heard, flush);
  return {status, failures_.load()};
}

void FlushGate::raise(std::atomic<Mark>& mark, Mark failures) {
  Mark known = mark.load();
  while (known < failures && !mark.compare_exchange_weak(known, failures)) {
  }
}

}  // namespace dmremap::remap
