// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/set_name.hpp"

#include <algorithm>
#include <string>

#include "format/content.hpp"

namespace dmremap::discovery {

bool is_set_name(std::string_view text) {
  const auto alphanumeric = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
  };
  return !text.empty() && text.size() <= format::kMaxNameBytes && alphanumeric(text.front()) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return alphanumeric(c) || c == '_' || c == '.' || c == '-'; });
}

Result<void> check_set_name(std::string_view text) {
  if (is_set_name(text)) return {};
  return fail(ErrorCode::usage, "not a name for a set", std::string(text),
              "use up to 64 letters, digits, '_', '.' and '-', the first a letter or a digit");
}

}  // namespace dmremap::discovery
