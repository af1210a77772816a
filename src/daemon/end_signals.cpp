// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/end_signals.hpp"

#include <csignal>

#include <poll.h>
#include <sys/signalfd.h>
#include <unistd.h>

namespace dmremap::daemon {

EndSignals::EndSignals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int number : {SIGTERM, SIGINT, SIGHUP}) ::sigaddset(&set, number);
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  fd_ = FileDescriptor(::signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
}

std::optional<int> EndSignals::take() const {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  return static_cast<int>(info.ssi_signo);
}

std::optional<int> EndSignals::wait(std::chrono::milliseconds timeout) const {
  pollfd wait{fd_.get(), POLLIN, 0};
  ::poll(&wait, 1, static_cast<int>(timeout.count()));
  return take();
}

}  // namespace dmremap::daemon
