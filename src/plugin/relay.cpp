// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/relay.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <cstdint>

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "frontend/nbd/listening_socket.hpp"
#include "os/process.hpp"
#include "plugin/signal_block.hpp"

namespace dmremap::plugin {

namespace {

// After the end of the process of the set, for nbdkit to end by itself. Then it is made to: a
// client that takes no answers must not keep it.
constexpr int kEndTimeoutMs = 3000;

}  // namespace

Result<void> Relay::configure(const std::string& key, const std::string& value) {
  constexpr const char* kHint = "it is started by `dmremap start --export nbd`";
  if (key != "control-fd") return fail(ErrorCode::usage, "no such option", key, kHint);
  int fd = -1;
  const char* end = value.data() + value.size();
  if (std::from_chars(value.data(), end, fd).ptr != end || ::fcntl(fd, F_SETFD, FD_CLOEXEC) != 0) {
    return fail(ErrorCode::usage, "is no open file", key + "=" + value, kHint);
  }
  client_.emplace(FileDescriptor(fd));
  return {};
}

Result<void> Relay::configured() const {
  if (client_) return {};
  return fail(ErrorCode::usage, "is not for use by hand", "nbdkit dmremap-relay",
              "use `nbdkit dmremap`, or `dmremap start --export nbd`");
}

Result<void> Relay::begin() {
  // The disk may hold what this process needs to go on: its requests must not wait for that. What
  // cannot be had was told by the process of the set, which lacks the same.
  (void)os::protect_io_process();
  if (auto met = client_->greet(); !met) return met;
  // nbdkit lets itself be ended by a signal when its parent dies, and then removes no socket. The
  // watch does that in its order.
  ::prctl(PR_SET_PDEATHSIG, 0, 0, 0, 0);
  ended_ = FileDescriptor(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!ended_.valid()) return fail_errno(errno, "make an event", {});
  const SignalBlock blocked;
  watch_ = std::thread([this] { watch_set(); });
  return {};
}

void Relay::end() {
  if (!watch_.joinable()) return;
  const std::uint64_t one = 1;
  // Written once: it cannot be full.
  [[maybe_unused]] const ssize_t written = ::write(ended_.get(), &one, sizeof one);
  watch_.join();
}

void Relay::watch_set() {
  // No event is asked for, so only a hang-up is told of the control socket.
  std::array<pollfd, 2> fds{{{client_->control(), 0, 0}, {ended_.get(), POLLIN, 0}}};
  while (::poll(fds.data(), fds.size(), -1) < 0) {
  }
  if (fds[1].revents == 0) end_after_set();
}

// The process of the set was killed; else it would have ended nbdkit first.
void Relay::end_after_set() const {
  for (const nbd::ListeningSocket& socket : nbd::listening_sockets()) {
    // In this order: a start that finds the socket without a listener removes it and makes its own,
    // which must not be removed here.
    if (!socket.socket_path.empty()) ::unlink(socket.socket_path.c_str());
    ::shutdown(socket.fd, SHUT_RDWR);
  }
  nbdkit_shutdown();
  pollfd ended{ended_.get(), POLLIN, 0};
  if (::poll(&ended, 1, kEndTimeoutMs) <= 0) ::_exit(1);
}

}  // namespace dmremap::plugin
