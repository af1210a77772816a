// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/thread_name.hpp"

#include <string>

#include <pthread.h>

namespace dmremap {

void name_this_thread(const char* name) {
  // Longer ones are refused, not cut.
  constexpr std::size_t kMostCharacters = 15;
  (void)::pthread_setname_np(::pthread_self(),
                             std::string(name).substr(0, kMostCharacters).c_str());
}

}  // namespace dmremap
