// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/uuid.hpp"

#include <span>

#include <fmt/format.h>

namespace dmremap {

namespace {

std::string hex(std::span<const std::byte> bytes) {
  std::string out;
  for (const std::byte b : bytes) out += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  return out;
}

int nibble(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

std::optional<std::array<std::byte, 16>> parse_hex(std::string_view digits) {
  if (digits.size() != 32) return std::nullopt;
  std::array<std::byte, 16> out{};
  for (std::size_t i = 0; i < 16; ++i) {
    const int hi = nibble(digits[2 * i]);
    const int lo = nibble(digits[2 * i + 1]);
    if (hi < 0 || lo < 0) return std::nullopt;
    out[i] = static_cast<std::byte>(hi * 16 + lo);
  }
  return out;
}

}  // namespace

std::string to_string(const Uuid& uuid) {
  const std::string h = hex(uuid.bytes);
  return fmt::format("{}-{}-{}-{}-{}", h.substr(0, 8), h.substr(8, 4), h.substr(12, 4),
                     h.substr(16, 4), h.substr(20));
}

std::string to_string(const CommitId& id) {
  return hex(id.bytes);
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::string digits;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    if (dash != (text[i] == '-')) return std::nullopt;
    if (!dash) digits += text[i];
  }
  const auto bytes = parse_hex(digits);
  if (!bytes) return std::nullopt;
  return Uuid{*bytes};
}

std::optional<CommitId> parse_commit_id(std::string_view text) {
  const auto bytes = parse_hex(text);
  if (!bytes) return std::nullopt;
  return CommitId{*bytes};
}

}  // namespace dmremap
