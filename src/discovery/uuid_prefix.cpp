// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/uuid_prefix.hpp"

#include <algorithm>
#include <string>

namespace dmremap::discovery {

bool is_uuid_prefix(std::string_view text, const Uuid& uuid) {
  const std::string whole = to_string(uuid);
  if (text.size() < kLeastUuidDigits || text.size() > whole.size()) return false;
  return std::equal(text.begin(), text.end(), whole.begin(), [](char given, char written) {
    return (given >= 'A' && given <= 'F' ? given - 'A' + 'a' : given) == written;
  });
}

}  // namespace dmremap::discovery
