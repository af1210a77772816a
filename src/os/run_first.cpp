// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/run_first.hpp"

#include <sched.h>

namespace dmremap::os {

RunFirst::RunFirst() {
  const sched_param lowest{.sched_priority = ::sched_get_priority_min(SCHED_FIFO)};
  is_first_ = ::sched_setscheduler(0, SCHED_FIFO, &lowest) == 0;
}

RunFirst::~RunFirst() {
  const sched_param none{.sched_priority = 0};
  if (is_first_) (void)::sched_setscheduler(0, SCHED_OTHER, &none);
}

}  // namespace dmremap::os
