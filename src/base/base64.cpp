// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/base64.hpp"

#include <openssl/evp.h>

#include "base/assert.hpp"

namespace dmremap {

namespace {

constexpr std::size_t kLongest = std::size_t{0x7fffffff} / 4 * 3;  // libcrypto counts in int

}  // namespace

std::string to_base64(std::span<const std::byte> bytes) {
  DMREMAP_ASSERT(bytes.size() <= kLongest / 2);
  std::string out((bytes.size() + 2) / 3 * 4 + 1, '\0');  // and the zero it ends with
  const int length = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(bytes.data()),
                                     static_cast<int>(bytes.size()));
  out.resize(static_cast<std::size_t>(length));
  return out;
}

std::optional<std::vector<std::byte>> from_base64(std::string_view text) {
  if (text.empty()) return std::vector<std::byte>{};
  if (text.size() % 4 != 0 || text.size() > kLongest) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  // It takes blanks around the text, and padding anywhere.
  if (text.substr(0, text.size() - padding).find_first_of("= \t\r\n\v\f-") != text.npos) {
    return std::nullopt;
  }
  std::vector<std::byte> out(text.size() / 4 * 3);
  const int length = EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                     reinterpret_cast<const unsigned char*>(text.data()),
                                     static_cast<int>(text.size()));
  if (length < 0 || static_cast<std::size_t>(length) != out.size()) return std::nullopt;
  out.resize(out.size() - padding);
  return out;
}

}  // namespace dmremap
