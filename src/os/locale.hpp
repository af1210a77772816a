// SPDX-License-Identifier: GPL-2.0-or-later
// What characters the user's terminal shows, by the variables of locale(7).
#pragma once

#include <string_view>

namespace dmremap::os {

// True if a locale of that name has UTF-8: "de_DE.UTF-8", "C.utf8". No locale need be installed: a
// terminal that shows UTF-8 shows it on a system without locales too.
[[nodiscard]] bool names_utf8(std::string_view locale);

// LC_ALL, else LC_CTYPE, else LANG of this process. None of them is the locale C, which is ASCII.
[[nodiscard]] bool shows_utf8();

}  // namespace dmremap::os
