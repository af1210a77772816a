// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk_disk.hpp"

#include <cerrno>

namespace dmremap::lab {

namespace {

// Held by a thread from before it takes a request until that has its place at the disk: otherwise
// requests that came one right after the other could overtake each other on their way there, and a
// stream would be none any more.
thread_local std::unique_lock<std::mutex> turn;

void end_turn() {
  if (turn.owns_lock()) turn.unlock();
}

}  // namespace

UblkDisk::UblkDisk(Disk& disk) : disk_(disk) {
  for (unsigned i = 0; i < kThreads; ++i) {
    threads_.emplace_back([this] { work(); });
  }
}

UblkDisk::~UblkDisk() {
  {
    const std::lock_guard lock(taking_);
    ending_ = true;
  }
  arrived_.notify_all();
  threads_.clear();
}

ublk::Step UblkDisk::begin(ublk::Request& request) {
  {
    const std::lock_guard lock(taking_);
    requests_.push_back(&request);
  }
  arrived_.notify_one();
  return ublk::Step::later();
}

ublk::Step UblkDisk::direct_done(ublk::Request* /*request*/, void* /*cookie*/, int /*error*/) {
  return ublk::Step::later();  // there are none
}

int UblkDisk::serve(const ublk::Request& request) {
  const std::uint64_t offset = request.range().first.byte_offset();
  const std::uint64_t bytes = request.range().count.bytes();
  switch (request.operation()) {
    case ublk::Operation::read:
      return disk_.read(offset, request.data(), end_turn);
    case ublk::Operation::write:
      return disk_.write(offset, request.data(), end_turn, request.fua());
    case ublk::Operation::flush:
      end_turn();
      return disk_.flush();
    case ublk::Operation::discard:
      return disk_.zero(offset, bytes, true, end_turn);
    case ublk::Operation::write_zeroes:
      return disk_.zero(offset, bytes, request.may_unmap(), end_turn);
  }
  return EOPNOTSUPP;
}

void UblkDisk::work() {
  while (true) {
    turn = std::unique_lock(taking_);
    arrived_.wait(turn, [this] { return ending_ || !requests_.empty(); });
    if (requests_.empty()) {
      end_turn();
      return;
    }
    ublk::Request& request = *requests_.front();
    requests_.pop_front();
    const int error = serve(request);
    end_turn();
    request.answer(error);
  }
}

}  // namespace dmremap::lab
