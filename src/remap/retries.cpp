// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/retries.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>

namespace dmremap::remap {

namespace {

constexpr unsigned kThreads = 4;
constexpr SectorCount kChunk{2048};

}  // namespace

Retries::Retries(DataPath& path, Recovery& recovery)
    : path_(path),
      recovery_(recovery),
      mutex_(path.scheduling),
      wake_(path.scheduling),
      finished_(path.scheduling) {
  buffers_.reserve(kThreads);
  for (unsigned i = 0; i < kThreads; ++i) {
    buffers_.emplace_back(kChunk.bytes());
    threads_.emplace_back(path.scheduling,
                          [this, buffer = buffers_.back().span()] { loop(buffer); });
  }
}

Retries::~Retries() {
  stop();
}

void Retries::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (Thread& thread : threads_) thread.join();
  threads_.clear();
}

io::IoStatus Retries::read(std::span<const Unread> parts, std::uint64_t deadline_ns) {
  const auto task = std::make_shared<Task>();
  task->parts.assign(parts.begin(), parts.end());
  const std::uint64_t now = path_.clock.monotonic_ns();
  task->late = now >= deadline_ns;
  task->until_ns = task->late ? now + path_.request_deadline_ns : deadline_ns;
  std::unique_lock lock(mutex_);
  if (task->late) {
    task->abandoned = true;
    // A few are enough: whoever asks again brings the others back.
    if (!path_.writable() || waiting_.size() >= kThreads) return {ETIMEDOUT};
  }
  waiting_.push_back(task);
  wake_.notify_one();
  if (task->late) return {ETIMEDOUT};
  const std::chrono::nanoseconds left(deadline_ns - now);
  if (finished_.wait_for(lock, left, [&task] { return task->done; })) return task->status;
  task->abandoned = true;
  std::erase(waiting_, task);
  return {ETIMEDOUT};
}

void Retries::loop(std::span<std::byte> buffer) {
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return stopping_ || !waiting_.empty(); });
    if (stopping_) return;
    const auto task = waiting_.front();
    waiting_.pop_front();
    lock.unlock();
    work(*task, buffer);
    lock.lock();
    task->done = true;
    finished_.notify_all();
  }
}

bool Retries::wanted(const Task& task) {
  const std::lock_guard lock(mutex_);
  const bool given_up = task.abandoned && !task.late;
  return !stopping_ && !given_up && path_.clock.monotonic_ns() < task.until_ns;
}

void Retries::work(Task& task, std::span<std::byte> buffer) {
  for (const Unread& part : task.parts) {
    for (Sector at = part.range.first; at < part.range.end();) {
      const SectorRange chunk{at, std::min(kChunk, part.range.end() - at)};
      at = chunk.end();
      const auto read = buffer.first(chunk.count.bytes());
      const io::IoStatus status = recovery_.settle(chunk, read, Recovery::Verdict::lost,
                                                   [this, &task] { return wanted(task); });
      if (!status.ok()) task.status = status;
      const std::lock_guard lock(mutex_);
      if (task.abandoned) return;
      std::ranges::copy(read, part_of(part.out, part.range, chunk).begin());
    }
  }
}

}  // namespace dmremap::remap
