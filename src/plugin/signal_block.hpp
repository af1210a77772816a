// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <csignal>

namespace dmremap::plugin {

// While it exists, threads are made that take no signals: those are handled by nbdkit's own.
class SignalBlock {
 public:
  SignalBlock() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before_);
  }
  ~SignalBlock() { ::pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalBlock(const SignalBlock&) = delete;
  SignalBlock& operator=(const SignalBlock&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace dmremap::plugin
