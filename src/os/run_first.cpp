// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/run_first.hpp"

#include <sched.h>

namespace dmremap::os {

RunFirst::RunFirst(bool wanted) {
  const sched_param lowest{.sched_priority = ::sched_get_priority_min(SCHED_FIFO)};
  is_first_ = wanted && ::sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &lowest) == 0;
}

RunFirst::~RunFirst() {
  const sched_param none{.sched_priority = 0};
  // Without a further right that flag cannot be taken back; by itself it changes nothing.
  if (is_first_) (void)::sched_setscheduler(0, SCHED_OTHER | SCHED_RESET_ON_FORK, &none);
}

bool RunFirst::is_on() {
  return (::sched_getscheduler(0) & ~SCHED_RESET_ON_FORK) == SCHED_FIFO;
}

}  // namespace dmremap::os
