// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/unfinished_recovery.hpp"

#include <cerrno>
#include <thread>

#include <fcntl.h>
#include <liburing.h>

#include "base/file_descriptor.hpp"
#include "ublk/queue_command.hpp"

namespace dmremap::ublk {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kPause{10};

Result<FileDescriptor> open_when_closed(const std::string& path,
                                        std::chrono::milliseconds patience) {
  const auto give_up = steady_clock::now() + patience;
  while (true) {
    FileDescriptor fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    if (fd.valid()) return fd;
    const int error = errno;
    if (error != EBUSY) return fail_errno(error, "open the ublk device", path);
    if (steady_clock::now() >= give_up) return fail_server_lives(path);
    std::this_thread::sleep_for(kPause);
  }
}

// All tags of a queue with one system call: SIGKILL does not come in between, so that a queue is
// never left with some of its tags fetched, which the kernel could not get rid of.
int fetch_queue(io_uring& ring, int character, unsigned queue, unsigned depth) {
  for (unsigned tag = 0; tag < depth; ++tag) {
    io_uring_sqe* const entry = io_uring_get_sqe(&ring);
    if (entry == nullptr) return ENOBUFS;  // the ring has an entry for each
    prepare(*entry, character, abi::kFetch,
            {.queue = static_cast<std::uint16_t>(queue), .tag = static_cast<std::uint16_t>(tag)});
  }
  const int submitted = io_uring_submit(&ring);
  // Refusals end at once. What was taken stays with the kernel.
  io_uring_cq_advance(&ring, io_uring_cq_ready(&ring));
  return submitted < 0 ? -submitted : 0;
}

int fetch_all(int character, const DeviceInfo& device) {
  io_uring ring{};
  const int made = io_uring_queue_init(device.depth, &ring, 0);
  if (made < 0) return -made;
  int error = 0;
  for (unsigned queue = 0; queue < device.queues && error == 0; ++queue) {
    error = fetch_queue(ring, character, queue, device.depth);
  }
  io_uring_queue_exit(&ring);
  return error;
}

}  // namespace

Result<void> finish_recovery_of_dead(const DeviceInfo& device, std::chrono::milliseconds patience) {
  const std::string path = character_path(device.id);
  const auto character = open_when_closed(path, patience);
  if (!character) return failure_of(character);
  int error = 0;
  // A thread of its own: for the kernel it is the thread that must have died.
  std::thread([&] { error = fetch_all(character->get(), device); }).join();
  if (error != 0) return fail_errno(error, "finish the recovery of a dead server", path);
  return {};
}

}  // namespace dmremap::ublk
