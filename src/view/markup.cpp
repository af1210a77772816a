// SPDX-License-Identifier: GPL-2.0-or-later
#include "view/markup.hpp"

#include <array>
#include <cstdint>
#include <utility>

#include <fmt/format.h>

namespace dmremap::view {

namespace {

constexpr std::uint32_t kReplacement = 0xfffd;

struct Decoded {
  std::uint32_t point = kReplacement;
  std::size_t bytes = 1;
};

// The character at the start of a text that is not empty. A byte that begins none is one
// replacement character (RFC 3629: neither overlong forms nor surrogates nor more than U+10FFFF).
Decoded decode(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return {first, 1};
  const std::size_t length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || length > text.size()) return {};
  std::uint32_t point = first & (0x7fU >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xc0U) != 0x80U) return {};
    point = (point << 6U) | (byte(i) & 0x3fU);
  }
  constexpr std::array<std::uint32_t, 5> kLeast{0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = point >= 0xd800 && point <= 0xdfff;
  if (point < kLeast[length] || surrogate || point > 0x10ffff) return {};
  return {point, length};
}

// Controls, marks and embeddings of direction, characters without width, line and paragraph
// separators, tags, and what is no character at all.
bool is_hidden(std::uint32_t point) {
  constexpr std::array<std::pair<std::uint32_t, std::uint32_t>, 14> kRanges{{{0x00, 0x1f},
                                                                             {0x7f, 0x9f},
                                                                             {0xad, 0xad},
                                                                             {0x61c, 0x61c},
                                                                             {0x180e, 0x180e},
                                                                             {0x200b, 0x200f},
                                                                             {0x2028, 0x202e},
                                                                             {0x2060, 0x206f},
                                                                             {0xfdd0, 0xfdef},
                                                                             {0xfeff, 0xfeff},
                                                                             {0xfff9, 0xfffb},
                                                                             {0xfffe, 0xffff},
                                                                             {0xe0000, 0xe0fff},
                                                                             {0xf0000, 0x10ffff}}};
  for (const auto& [first, last] : kRanges) {
    if (point >= first && point <= last) return true;
  }
  return false;
}

std::string spelled(std::uint32_t point) {
  if (point < 0x100) return fmt::format("\\x{:02x}", point);
  return point < 0x10000 ? fmt::format("\\u{:04x}", point) : fmt::format("\\U{:08x}", point);
}

std::string_view entity_of(std::uint32_t point) {
  switch (point) {
    case '&':
      return "&amp;";
    case '<':
      return "&lt;";
    case '>':
      return "&gt;";
    case '"':
      return "&quot;";
    case '\'':
      return "&#39;";
    case kReplacement:
      return "\ufffd";
    default:
      return {};
  }
}

}  // namespace

std::string escape(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const Decoded next = decode(text);
    const std::string_view entity = entity_of(next.point);
    if (!entity.empty()) {
      out += entity;
    } else if (is_hidden(next.point)) {
      out += spelled(next.point);
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

std::string plain(std::string_view text, bool ascii) {
  std::string out;
  while (!text.empty()) {
    const Decoded next = decode(text);
    if (is_hidden(next.point)) {
      out += spelled(next.point);
    } else if (ascii && next.point >= 0x80) {
      out += '?';
    } else if (next.point == kReplacement) {
      out += "\ufffd";
    } else {
      out += text.substr(0, next.bytes);
    }
    text.remove_prefix(next.bytes);
  }
  return out;
}

}  // namespace dmremap::view
