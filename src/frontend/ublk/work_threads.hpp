// SPDX-License-Identifier: GPL-2.0-or-later
// A few threads for what a queue's thread must not do because it waits.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

namespace dmremap::frontend {

// First in, first out. `Item` has a member `Item* next`, which belongs to the list it is in, so
// that adding one allocates nothing. Not thread-safe.
template <typename Item>
class ItemList {
 public:
  [[nodiscard]] bool empty() const { return first_ == nullptr; }
  void push(Item& item) {
    item.next = nullptr;
    (last_ != nullptr ? last_->next : first_) = &item;
    last_ = &item;
  }
  // Null if it is empty.
  [[nodiscard]] Item* pop() {
    Item* const item = first_;
    if (item == nullptr) return nullptr;
    first_ = std::exchange(item->next, nullptr);
    if (first_ == nullptr) last_ = nullptr;
    return item;
  }

 private:
  Item* first_ = nullptr;
  Item* last_ = nullptr;
};

// Thread-safe.
template <typename Item>
class WorkThreads {
 public:
  // `work` is called by the threads, for each item once.
  WorkThreads(unsigned count, std::function<void(Item&)> work) : work_(std::move(work)) {
    for (unsigned i = 0; i < count; ++i) threads_.emplace_back([this] { loop(); });
  }
  WorkThreads(const WorkThreads&) = delete;
  WorkThreads& operator=(const WorkThreads&) = delete;
  // What was added is done first.
  ~WorkThreads() {
    {
      const std::lock_guard lock(mutex_);
      ending_ = true;
    }
    wake_.notify_all();
    for (std::thread& thread : threads_) thread.join();
  }

  void add(Item& item) {
    {
      const std::lock_guard lock(mutex_);
      items_.push(item);
    }
    wake_.notify_one();
  }

 private:
  void loop() {
    std::unique_lock lock(mutex_);
    for (;;) {
      wake_.wait(lock, [this] { return ending_ || !items_.empty(); });
      Item* const item = items_.pop();
      if (item == nullptr) return;
      lock.unlock();
      work_(*item);
      lock.lock();
    }
  }

  const std::function<void(Item&)> work_;
  std::mutex mutex_;
  std::condition_variable wake_;
  ItemList<Item> items_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace dmremap::frontend
