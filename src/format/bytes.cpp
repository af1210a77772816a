// SPDX-License-Identifier: GPL-2.0-or-later
#include "format/bytes.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace dmremap::format {

bool all_zero(std::span<const std::byte> bytes) {
  // If the first byte is zero and each byte equals the one before it, all are zero. memcmp compares
  // whole words.
  return bytes.empty() || (bytes.front() == std::byte{0} &&
                           std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

void put_bytes(std::span<std::byte> to, std::size_t offset, std::span<const std::byte> bytes) {
  DMREMAP_ASSERT(offset <= to.size() && bytes.size() <= to.size() - offset);
  std::copy(bytes.begin(), bytes.end(), to.begin() + static_cast<std::ptrdiff_t>(offset));
}

void get_bytes(std::span<const std::byte> from, std::size_t offset, std::span<std::byte> bytes) {
  DMREMAP_ASSERT(offset <= from.size() && bytes.size() <= from.size() - offset);
  std::copy_n(from.begin() + static_cast<std::ptrdiff_t>(offset), bytes.size(), bytes.begin());
}

void put_text(std::span<std::byte> to, std::size_t offset, std::string_view text) {
  put_bytes(to, offset, std::as_bytes(std::span(text.data(), text.size())));
}

void put_padded(std::span<std::byte> to, std::size_t offset, std::size_t width,
                std::string_view text) {
  DMREMAP_ASSERT(offset <= to.size() && width <= to.size() - offset);
  std::fill_n(to.begin() + static_cast<std::ptrdiff_t>(offset), width, std::byte{0});
  put_text(to, offset, text.substr(0, width));
}

std::optional<std::string> get_padded(std::span<const std::byte> from, std::size_t offset,
                                      std::size_t width) {
  DMREMAP_ASSERT(offset <= from.size() && width <= from.size() - offset);
  const auto field = from.subspan(offset, width);
  std::string out;
  for (const std::byte b : field) {
    if (b == std::byte{0}) break;
    const auto c = std::to_integer<unsigned char>(b);
    if (c < 0x20 || c == 0x7f) return std::nullopt;
    out += static_cast<char>(c);
  }
  if (!all_zero(field.subspan(out.size()))) return std::nullopt;
  return out;
}

}  // namespace dmremap::format
