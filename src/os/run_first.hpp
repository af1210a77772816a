// SPDX-License-Identifier: GPL-2.0-or-later
// Who computes first on a machine whose processors are busy.
#pragma once

namespace dmremap::os {

// While it lives, the thread that made it has the lowest real-time priority: it goes on as soon as
// a disk has answered, whatever other programs compute. Threads and processes that it starts do
// not: the kernel makes threads of its own for a process, which stay. Where that is not allowed it
// does nothing. To be ended by the thread that made it, which had no such priority before.
class RunFirst {
 public:
  // Not `wanted`: it does nothing.
  explicit RunFirst(bool wanted = true);
  ~RunFirst();
  RunFirst(const RunFirst&) = delete;
  RunFirst& operator=(const RunFirst&) = delete;

  // True if the calling thread has such a priority. So it can be handed on to threads for which
  // this one waits.
  [[nodiscard]] static bool is_on();

 private:
  bool is_first_ = false;
};

}  // namespace dmremap::os
