// SPDX-License-Identifier: GPL-2.0-or-later
#include "set/main_watch.hpp"

namespace dmremap::set {

void MainWatch::note(const Moment& moment) {
  if (!moment.others) return;
  const bool used = !others_ || moment.others->arrived != others_->arrived;
  // Fewer than before are the statistics of another device.
  if (used || moment.others->in_flight != 0) quiet_since_ns_ = moment.now_ns;
  if (used && others_) rests_until_used_ = false;
  others_ = moment.others;
}

MainWatch::Answer MainWatch::ask(const Moment& moment) {
  note(moment);
  asked_ = moment.head_writes;
  if (asked_ == seen_) {
    wanted_since_ns_.reset();
    return Answer::rest;
  }
  if (moment.now_ns < rest_until_ns_ || rests_until_used_) return Answer::rest;
  if (!wanted_since_ns_) wanted_since_ns_ = moment.now_ns;
  const bool quiet = moment.others && moment.now_ns >= quiet_since_ns_ + kQuietNs;
  const bool late = moment.now_ns >= *wanted_since_ns_ + kLongestNs;
  return quiet || late ? Answer::look : Answer::wait;
}

// What was changed since ask() has a number of its own.
void MainWatch::looked(std::uint64_t now_ns, bool well) {
  wanted_since_ns_.reset();
  if (well) {
    seen_ = asked_;
  } else {
    rest_until_ns_ = now_ns + kRestNs;
    rests_until_used_ = true;
  }
}

}  // namespace dmremap::set
