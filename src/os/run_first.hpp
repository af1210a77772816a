// SPDX-License-Identifier: GPL-2.0-or-later
// Who computes first on a machine whose processors are busy.
#pragma once

namespace dmremap::os {

// While it lives, the thread that made it, and threads that it starts meanwhile for as long as they
// run, have the lowest real-time priority: they go on as soon as a disk has answered, whatever
// other programs compute. Where that is not allowed it does nothing. To be ended by the thread that
// made it, which had no such priority before.
class RunFirst {
 public:
  RunFirst();
  ~RunFirst();
  RunFirst(const RunFirst&) = delete;
  RunFirst& operator=(const RunFirst&) = delete;

 private:
  bool is_first_;
};

}  // namespace dmremap::os
