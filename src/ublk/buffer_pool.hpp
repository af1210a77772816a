// SPDX-License-Identifier: GPL-2.0-or-later
// The memory through which the data of requests goes, shared by all queues of a disk: as much as
// requests in flight need, not as much as there could be.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <utility>
#include <vector>

#include "base/aligned_buffer.hpp"

namespace dmremap::ublk {

// Thread-safe. Outlives its leases.
class BufferPool {
 public:
  static constexpr std::size_t kPageBytes = 4096;

  // Memory that is in use as long as this lives; aligned to 4096 bytes. May be moved to another
  // thread and dropped there.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&& other) noexcept
        : pool_(std::exchange(other.pool_, nullptr)), data_(std::exchange(other.data_, {})) {}
    Lease& operator=(Lease&& other) noexcept {
      std::swap(pool_, other.pool_);
      std::swap(data_, other.data_);
      return *this;
    }
    ~Lease() { drop(); }

    [[nodiscard]] std::span<std::byte> data() const { return data_; }
    [[nodiscard]] bool empty() const { return pool_ == nullptr; }
    void drop() {
      if (pool_ != nullptr) std::exchange(pool_, nullptr)->give_back(data_);
      data_ = {};
    }

   private:
    friend class BufferPool;
    Lease(BufferPool* pool, std::span<std::byte> data) : pool_(pool), data_(data) {}
    BufferPool* pool_ = nullptr;
    std::span<std::byte> data_;
  };

  // Who waits for memory. Called by any thread; must not call the pool.
  class Waiter {
   public:
    virtual void memory_may_be_there() = 0;

   protected:
    ~Waiter() = default;
  };

  // `bytes` must hold the largest request. All of it is allocated and touched here.
  explicit BufferPool(std::size_t bytes);

  [[nodiscard]] std::size_t bytes() const { return memory_.size(); }
  // All of it, that of the leases and what is free.
  [[nodiscard]] std::span<std::byte> memory() { return memory_.span(); }
  // An empty lease if there is no room in one piece, or others wait already: `waiter` is told when
  // it is worth to ask again. Waiters are served in order of their asking, so that a large request
  // gets its turn among small ones.
  [[nodiscard]] Lease take(std::size_t bytes, Waiter& waiter);
  // `waiter` does not wait any more.
  void forget(Waiter& waiter);

 private:
  void give_back(std::span<std::byte> data);
  // The first page of a free run, or the number of pages.
  [[nodiscard]] std::size_t find_free(std::size_t pages) const;
  void set_used(std::size_t first, std::size_t pages, bool used);

  AlignedBuffer memory_;
  std::mutex mutex_;                // guards all below
  std::vector<std::uint8_t> used_;  // by page
  std::size_t next_ = 0;            // where to look first
  std::deque<Waiter*> waiting_;
};

}  // namespace dmremap::ublk
