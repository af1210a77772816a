// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/request/request_queue.hpp"

#include <algorithm>
#include <cerrno>
#include <mutex>
#include <utility>

#include "base/thread_name.hpp"

namespace dmremap::remap {

RequestQueue::RequestQueue(Disk& disk, DataPath& path, ReadPath& read, WritePath& write)
    : disk_(disk),
      path_(path),
      read_(read),
      write_(write),
      mutex_(path.scheduling),
      wake_(path.scheduling) {}

RequestQueue::~RequestQueue() {
  stop();
}

void RequestQueue::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  wake_.notify_all();
  for (Thread& thread : threads_) {
    if (thread.joinable()) thread.join();
  }
}

std::optional<DirectRequest> RequestQueue::begin(const Request& request) {
  auto direct = this->direct(request);
  if (!direct) {
    add({request, 0, std::nullopt, 0});
  } else if (path_.direct != nullptr && path_.direct->is_clear(request.range)) {
    // A failing disk takes up to a minute for each try: asking it for the same once more would use
    // up the deadline. Which error it was is not told; what it comes to is found by narrowing.
    if (const auto status = finish(std::move(*direct), {EIO})) request.done->complete(*status);
    return std::nullopt;
  }
  return direct;
}

// The same look as that of a thread that reads or writes: announce the range, then see whether all
// of it is good and unheld.
std::optional<DirectRequest> RequestQueue::direct(const Request& request) {
  const bool changes = request.kind != Request::Kind::read;
  if (request.kind == Request::Kind::flush || request.fua) return std::nullopt;
  if (changes && !path_.writable()) return std::nullopt;
  const std::uint64_t deadline_ns = path_.deadline_of_request();
  const bool sampled = path_.latencies.is_on() && (request.kind == Request::Kind::read ||
                                                   request.kind == Request::Kind::write);
  const std::uint64_t sampled_ns = sampled ? path_.latencies.now_ns() : 0;
  table::Pins::Pin pin = path_.live.pin(request.range);
  io::BlockDevice* const main = path_.main_unless_tripped();
  if (main == nullptr || !path_.live.clean(request.range)) return std::nullopt;
  if (changes) {
    pin.count_write();
  } else {
    pin.count_read();
  }
  return DirectRequest(request, *main, request.range.first, std::move(pin), deadline_ns,
                       sampled_ns);
}

std::optional<io::IoStatus> RequestQueue::finish(DirectRequest direct, io::IoStatus status) {
  const Request& request = direct.request_;
  switch (request.kind) {
    case Request::Kind::read:
      status = path_.end_main_read(status);
      break;
    case Request::Kind::write:
      // Under the pin: whoever drains it finds the region among those that a flush must cover.
      status = path_.end_main_write(request.range, status);
      break;
    case Request::Kind::zeroes:
      status = path_.end_main_zero(request.range, status);
      break;
    case Request::Kind::discard:
      status = path_.end_main_discard(request.range, status);
      break;
    case Request::Kind::flush:
      break;
  }
  if (status.ok()) {
    if (direct.sampled_ns_ != 0) [[unlikely]]
      path_.latencies.add(direct.sampled_ns_);
    return status;
  }
  Task task{request, status.error, std::nullopt, direct.deadline_ns_};
  // What a write brought is remapped while nobody settles its sectors; all else begins anew. So
  // does a write to a main that takes none: who stores it waits for the pins of its neighbours
  // (copy_on_write.hpp), and may not wait for one that waits for a thread.
  if (request.kind == Request::Kind::write && path_.main_write_refusal.load() == 0 &&
      io::classify(status.error) != io::Fault::caller) {
    task.pin.emplace(std::move(direct.pin_));
  }
  direct.pin_.release();
  add(std::move(task));
  return std::nullopt;
}

void RequestQueue::add(Task task) {
  {
    const std::lock_guard lock(mutex_);
    (task.pin ? pinned_ : unpinned_).push_back(std::move(task));
    if (idle_ < pinned_.size() + unpinned_.size() && threads_.size() < kThreads) {
      threads_.emplace_back(path_.scheduling, [this] { loop(); });
    }
  }
  wake_.notify_one();
}

bool RequestQueue::may_take_locked() const {
  return !pinned_.empty() || (!unpinned_.empty() && unpinned_running_ < kThreadsForUnpinned);
}

std::optional<RequestQueue::Task> RequestQueue::take_locked() {
  if (!may_take_locked()) return std::nullopt;
  const auto front_of = [](std::deque<Task>& tasks) {
    std::optional<Task> out(std::move(tasks.front()));
    tasks.pop_front();
    return out;
  };
  return front_of(pinned_.empty() ? unpinned_ : pinned_);
}

void RequestQueue::loop() {
  name_this_thread("request");
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wake_.wait(lock, [this] { return stopping_ || may_take_locked(); });
    --idle_;
    auto task = take_locked();
    if (!task) return;
    const bool unpinned = !task->pin;
    if (unpinned) ++unpinned_running_;
    lock.unlock();
    work(std::move(*task));
    lock.lock();
    if (unpinned) --unpinned_running_;
    // One that had to wait for its share of the threads may begin now.
    if (!unpinned_.empty()) wake_.notify_one();
  }
}

void RequestQueue::work(Task task) {
  Completion& done = *task.request.done;
  if (task.request.kind == Request::Kind::read) {
    if (const auto status = read(task)) done.complete(*status);
    return;
  }
  if (task.pin) {
    done.complete(write_.take_failed(std::move(*task.pin), task.request.range, task.request.data,
                                     task.error, task.deadline_ns, task.request.timer));
    return;
  }
  // New, or a zeroing or discard that failed as a whole and is done by parts.
  done.complete(run(disk_, task.request));
}

// A bad sector is asked again by the threads for that, which answer by the deadline.
std::optional<io::IoStatus> RequestQueue::read(const Task& task) {
  const std::span<std::byte> out = task.request.out;
  Completion* const done = task.request.done;
  const auto later = [out, done](io::IoStatus status, std::span<const std::byte> data) {
    if (status.ok()) std::ranges::copy(data, out.begin());
    done->complete(status);
  };
  RequestTimer* const timer = task.request.timer;
  if (task.error == 0) return read_.read_or_later(task.request.range.first, out, later, timer);
  return read_.take_failed(task.request.range, out, task.error, task.deadline_ns, later, timer);
}

}  // namespace dmremap::remap
