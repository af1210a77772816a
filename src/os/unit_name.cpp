// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/unit_name.hpp"

#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "base/assert.hpp"

namespace dmremap::os {

namespace {

constexpr std::size_t kEscapeLength = 4;  // \xNN

bool stands_for_itself(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == ':' ||
         c == '_' || c == '.';
}

std::string escaped(std::string_view text, bool may_begin_with_dot) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char c = text[at];
    if (stands_for_itself(c) && (c != '.' || at > 0 || may_begin_with_dot)) {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

std::string unit_name_escaped(std::string_view text) {
  return escaped(text, false);
}

std::string unit_name_unescaped(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const std::string_view escape = text.substr(at, kEscapeLength);
    std::uint8_t byte = 0;
    if (escape.size() == kEscapeLength && escape.starts_with("\\x")) {
      const auto [end, error] =
          std::from_chars(escape.data() + 2, escape.data() + kEscapeLength, byte, 16);
      if (error == std::errc{} && end == escape.data() + kEscapeLength) {
        out += static_cast<char>(byte);
        at += kEscapeLength - 1;
        continue;
      }
    }
    out += text[at];
  }
  return out;
}

std::string device_unit_of(std::string_view path) {
  DMREMAP_ASSERT(path.size() > 1 && path.front() == '/');
  std::string out;
  std::string_view rest = path.substr(1);
  for (bool first = true;; first = false) {
    const std::size_t slash = rest.find('/');
    out += escaped(rest.substr(0, slash), !first);
    if (slash == std::string_view::npos) break;
    out += '-';
    rest.remove_prefix(slash + 1);
  }
  return out + ".device";
}

}  // namespace dmremap::os
