// SPDX-License-Identifier: GPL-2.0-or-later
#include "ublk/server.hpp"

#include <algorithm>
#include <cerrno>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "ublk/queue.hpp"
#include "ublk/unfinished_recovery.hpp"

namespace dmremap::ublk {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// The kernel makes the nodes at once; where /dev is udev's alone they come a little later.
constexpr milliseconds kNodePatience{5'000};
constexpr milliseconds kPause{10};

// A queue's thread and ring are a third of a MiB of locked memory. On a machine with more cores
// some share a queue, so that a set stays below what it may lock while it is idle (32 MiB).
constexpr unsigned kQueuesMax = 32;

unsigned queues_wanted(unsigned asked) {
  return asked != 0 ? asked : std::clamp(std::thread::hardware_concurrency(), 1U, kQueuesMax);
}

Result<FileDescriptor> open_when_there(const std::string& path, int flags) {
  const auto give_up = steady_clock::now() + kNodePatience;
  while (true) {
    FileDescriptor fd(::open(path.c_str(), flags | O_CLOEXEC));
    if (fd.valid()) return fd;
    const int error = errno;
    if (error != ENOENT || steady_clock::now() >= give_up) {
      return fail_errno(error, "open the ublk device", path);
    }
    std::this_thread::sleep_for(kPause);
  }
}

Result<void> wait_for_block_device(const std::string& path) {
  const auto give_up = steady_clock::now() + kNodePatience;
  while (::access(path.c_str(), F_OK) != 0) {
    if (steady_clock::now() >= give_up) {
      return fail(ErrorCode::no_such_device, "the ublk disk does not appear", path,
                  "see whether udev runs, or mount a devtmpfs on /dev");
    }
    std::this_thread::sleep_for(kPause);
  }
  return {};
}

Result<void> check_buffers(std::size_t buffer_bytes, std::uint32_t request_bytes_max) {
  if (buffer_bytes >= request_bytes_max) return {};
  return fail(
      ErrorCode::usage,
      fmt::format("{} bytes of buffers for requests of {} bytes", buffer_bytes, request_bytes_max),
      "ublk", "the largest request must fit");
}

}  // namespace

Server::Server(Handler& handler, Control control, DeviceInfo info, const DiskParameters& disk,
               std::size_t buffer_bytes)
    : handler_(handler),
      control_(std::move(control)),
      info_(info),
      disk_(disk),
      buffers_(buffer_bytes) {}

Server::~Server() {
  end_queues();
}

Result<std::unique_ptr<Server>> Server::create(Handler& handler, const Options& options) {
  const auto sizes = to_kernel(options.disk);
  if (!sizes) return failure_of(sizes);
  const auto fits = check_buffers(options.buffer_bytes, options.disk.request_bytes_max);
  if (!fits) return failure_of(fits);
  auto control = Control::open();
  if (!control) return failure_of(control);
  const auto info = control->add({.id = std::nullopt,
                                  .queues = queues_wanted(options.queues),
                                  .depth = options.depth,
                                  .request_bytes_max = options.disk.request_bytes_max,
                                  .recoverable = options.recoverable,
                                  .owner = options.owner});
  if (!info) return failure_of(info);
  std::unique_ptr<Server> server(
      new Server(handler, std::move(*control), *info, options.disk, options.buffer_bytes));
  // A kill from here to start() leaves a dead device without a disk. It has the owner's number, so
  // that the owner finds and removes it.
  const auto begun = [&]() -> Result<void> {
    if (!info->user_copy) {
      return fail(ErrorCode::not_supported, "the kernel refuses user copy", server->path());
    }
    if (auto set = server->control_.set_parameters(info->id, options.disk); !set) return set;
    if (auto opened = server->open_character_device(); !opened) return opened;
    if (auto fetched = server->start_queues(); !fetched) return fetched;
    if (options.before_start) options.before_start(server->path());
    if (auto started = server->control_.start(info->id); !started) return started;
    return wait_for_block_device(server->path());
  }();
  if (begun) return server;
  server->end_queues();
  static_cast<void>(server->control_.remove(info->id));
  return failure_of(begun);
}

Result<std::unique_ptr<Server>> Server::recover(Handler& handler, std::uint32_t id,
                                                std::size_t buffer_bytes, milliseconds patience) {
  auto control = Control::open();
  if (!control) return failure_of(control);
  const auto info = control->info(id);
  if (!info) return failure_of(info);
  if (!info->recoverable || !info->user_copy) {
    return fail(ErrorCode::not_supported, "this ublk device cannot be taken over", block_path(id),
                "it was made without recovery or user copy; remove it and start again");
  }
  if (info->state == DeviceState::dead) {
    return fail(ErrorCode::not_supported, "this ublk device has no disk to take over",
                block_path(id),
                "its server died before it had started it, or it is stopped: remove it");
  }
  const auto disk = control->parameters(id);
  if (!disk) return failure_of(disk);
  const auto fits = check_buffers(buffer_bytes, disk->request_bytes_max);
  if (!fits) return failure_of(fits);
  // A kill up to end_recovery() leaves a quiesced device, as the dead server did: the requests
  // still wait. Between start_recovery() and the last queue's fetches it leaves queues that have
  // had no server, which the next one puts right.
  std::unique_ptr<Server> server(
      new Server(handler, std::move(*control), *info, *disk, buffer_bytes));
  if (const auto ended = finish_recovery_of_dead(*info, patience); !ended) return failure_of(ended);
  if (const auto begun = server->control_.start_recovery(id, patience); !begun) {
    return failure_of(begun);
  }
  const auto recovered = [&]() -> Result<void> {
    if (auto opened = server->open_character_device(); !opened) return opened;
    if (auto fetched = server->start_queues(); !fetched) return fetched;
    return server->control_.end_recovery(id);
  }();
  if (!recovered) return failure_of(recovered);
  return server;
}

Result<void> Server::open_character_device() {
  ended_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC));
  if (!ended_.valid()) return fail_errno(errno, "make an eventfd", path());
  auto opened = open_when_there(character_path(info_.id), O_RDWR);
  if (!opened) return failure_of(opened);
  character_ = std::move(*opened);
  return {};
}

Result<void> Server::start_queues() {
  for (unsigned index = 0; index < info_.queues; ++index) {
    queues_.push_back(std::make_unique<Queue>(Queue::Place{.handler = handler_,
                                                           .buffers = buffers_,
                                                           .character = character_.get(),
                                                           .ended = ended_.get(),
                                                           .index = index,
                                                           .depth = info_.depth}));
    if (auto started = queues_.back()->start(); !started) return started;
  }
  return {};
}

void Server::end_queues() {
  for (const auto& queue : queues_) queue->leave();
  queues_.clear();
  character_.reset();
}

Result<void> Server::sync() const {
  const FileDescriptor fd(::open(path().c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open the ublk disk", path());
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "write the disk's dirty pages", path());
  return {};
}

Result<void> Server::stop() {
  // The kernel fails what is written back while a recoverable device is being stopped, so nothing
  // may be dirty any more. While this is held nobody can mount the disk, or claim it otherwise.
  const FileDescriptor claim(::open(path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  if (!claim.valid() && errno == EBUSY) {
    return fail(ErrorCode::device_in_use, "the disk is in use", path(),
                "unmount and detach what lies on it first");
  }
  if (!claim.valid()) return fail_errno(errno, "open the ublk disk", path());
  // A disk whose flushes fail must still be possible to take away. Whoever wants to know calls
  // sync() before.
  static_cast<void>(::fsync(claim.get()));
  // A kill from here on leaves a dead device: whoever comes next removes it.
  return stop_in_use();
}

Result<void> Server::stop_in_use() {
  // The queues still serve: what is in flight is answered first.
  if (auto stopped = control_.stop(info_.id); !stopped) return stopped;
  end_queues();
  return control_.remove(info_.id);
}

}  // namespace dmremap::ublk
