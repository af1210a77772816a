// SPDX-License-Identifier: GPL-2.0-or-later
// Says of a device that is not found what it is and where it was last, and what is there now: a
// person who reads it can go and look for the disk.
#pragma once

#include <string>

#include "discovery/device_look.hpp"
#include "format/content.hpp"

namespace dmremap::discovery {

// "was last seen at /dev/sdc1 (WDC WD10EZEX, serial number WX99, 41943040 sectors), which is not
// there now". `path` is the last place that is known; empty: the text is empty. `now`: what was
// learnt of that path; null: nothing. Reads what /sys shows of a device that is there.
[[nodiscard]] std::string last_known_in_words(const std::string& path,
                                              const format::Fingerprint& device,
                                              const CandidateFacts* now);

}  // namespace dmremap::discovery
