// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/locale.hpp"

#include <array>
#include <cctype>
#include <cstdlib>
#include <string>

namespace dmremap::os {

bool names_utf8(std::string_view locale) {
  const auto dot = locale.find('.');
  if (dot == std::string_view::npos) return false;
  std::string charset;
  for (const char c : locale.substr(dot + 1)) {
    if (c == '@') break;
    if (c != '-') charset += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  }
  return charset == "utf8";
}

bool shows_utf8() {
  for (const char* const name : std::array{"LC_ALL", "LC_CTYPE", "LANG"}) {
    const char* const value = std::getenv(name);
    if (value != nullptr && *value != '\0') return names_utf8(value);
  }
  return false;
}

}  // namespace dmremap::os
