// SPDX-License-Identifier: GPL-2.0-or-later
// When a running set looks which file system main has. A state machine of values: no clock, no
// thread, no I/O.
//
// - A look is wanted once the head of main was changed since the last one (Admin::head_writes()):
//   what is written elsewhere makes no other file system.
// - It is one read of main, which a user's request may have to wait for. So it waits for half a
//   second without requests of others, as the scanner does, but no longer than a minute: an
//   unclean end of the run in that time leaves the file system that main had before on record.
// - A failing disk may take a minute for each unreadable sector. So main is looked at again ten
//   minutes after it did not read well, and not before others have used it: it may sleep.
#pragma once

#include <cstdint>
#include <optional>

#include "base/units.hpp"
#include "health/pace.hpp"

namespace dmremap::set {

class MainWatch {
 public:
  static constexpr std::uint64_t kQuietNs = health::kIdleNs;
  static constexpr std::uint64_t kLongestNs = 60 * kSecondNs;
  static constexpr std::uint64_t kRestNs = 600 * kSecondNs;

  struct Moment {
    std::uint64_t now_ns = 0;  // monotonic
    std::uint64_t head_writes = 0;
    // Requests to the disk that are not the scanner's. Nothing: it cannot be told now, for the
    // scanner has one under way.
    std::optional<health::Foreground> others;
  };
  enum class Answer : std::uint8_t {
    rest,  // nothing is to be seen, or it is not looked at yet
    wait,  // for others: ask again soon
    look,  // now, and then call looked()
  };
  [[nodiscard]] Answer ask(const Moment& moment);
  // `well`: main could be read.
  void looked(std::uint64_t now_ns, bool well);

 private:
  void note(const Moment& moment);

  // Nothing was seen at first, so that the first change has main looked at.
  std::uint64_t seen_ = 0;
  std::uint64_t asked_ = 0;                       // head_writes when it was last asked
  std::optional<std::uint64_t> wanted_since_ns_;  // nothing: no look is wanted
  std::optional<health::Foreground> others_;
  std::uint64_t quiet_since_ns_ = 0;
  // After a look that went wrong.
  std::uint64_t rest_until_ns_ = 0;
  bool rests_until_used_ = false;
};

}  // namespace dmremap::set
