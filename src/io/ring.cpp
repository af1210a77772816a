// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/ring.hpp"

#include <algorithm>
#include <cerrno>

#include <liburing.h>

namespace dmremap::io {

namespace {
constexpr unsigned kEntries = 64;
}

bool Ring::Transfer::failed() const {
  return result < 0 && result != kNotDone && result != -EINTR && result != -EAGAIN;
}

Ring::Ring() : ring_(std::make_unique<io_uring>()) {
  made_ = io_uring_queue_init(kEntries, ring_.get(), 0) == 0;
  usable_ = made_;
}

Ring::~Ring() {
  if (made_) io_uring_queue_exit(ring_.get());
}

std::unique_ptr<Ring> Ring::create() {
  std::unique_ptr<Ring> ring(new Ring);
  return ring->usable_ ? std::move(ring) : nullptr;
}

void Ring::read(int fd, std::span<Transfer> transfers) {
  run(fd, transfers, Direction::read);
}

void Ring::write(int fd, std::span<Transfer> transfers) {
  run(fd, transfers, Direction::write);
}

void Ring::run(int fd, std::span<Transfer> transfers, Direction direction) {
  const std::lock_guard lock(mutex_);
  while (usable_ && !transfers.empty()) {
    const std::size_t count = std::min<std::size_t>(transfers.size(), kEntries);
    run_batch(fd, transfers.first(count), direction);
    transfers = transfers.subspan(count);
  }
}

// Leaves nothing in flight. Whatever happens, it waits for all transfers that the kernel took,
// because their memory belongs to the caller.
void Ring::run_batch(int fd, std::span<Transfer> batch, Direction direction) {
  unsigned queued = 0;
  for (Transfer& transfer : batch) {
    if (transfer.bytes == 0) continue;
    io_uring_sqe* entry = io_uring_get_sqe(ring_.get());
    if (entry == nullptr) break;
    const auto bytes = static_cast<unsigned>(transfer.bytes);
    if (direction == Direction::read) {
      io_uring_prep_read(entry, fd, transfer.memory, bytes, transfer.offset);
    } else {
      io_uring_prep_write(entry, fd, transfer.memory, bytes, transfer.offset);
    }
    io_uring_sqe_set_data(entry, &transfer);
    ++queued;
  }
  while (queued > 0) {
    const int taken = usable_ ? io_uring_submit_and_wait(ring_.get(), queued) : wait_for_one();
    if (taken < 0 && taken != -EINTR && taken != -EAGAIN && usable_) {
      // The kernel takes no more. Transfers that it did not take stay in the queue, so nothing may
      // ever be submitted again. Those that it took will still complete.
      usable_ = false;
      queued -= std::min(queued, io_uring_sq_ready(ring_.get()));
    }
    io_uring_cqe* done = nullptr;
    while (queued > 0 && io_uring_peek_cqe(ring_.get(), &done) == 0) {
      static_cast<Transfer*>(io_uring_cqe_get_data(done))->result = done->res;
      io_uring_cqe_seen(ring_.get(), done);
      --queued;
    }
  }
}

int Ring::wait_for_one() {
  io_uring_cqe* done = nullptr;
  return io_uring_wait_cqe(ring_.get(), &done);
}

}  // namespace dmremap::io
