// SPDX-License-Identifier: GPL-2.0-or-later
// Little-endian fields in byte buffers, at explicit offsets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace dmremap {

// Both check their bounds and abort on a programming error; a byte on disk never causes one,
// because offsets are constants of the format.
template <typename T>
[[nodiscard]] T load_le(std::span<const std::byte> from, std::size_t offset);

template <typename T>
void store_le(std::span<std::byte> to, std::size_t offset, T value);

[[noreturn]] void bounds_failure(std::size_t offset, std::size_t bytes, std::size_t size);

template <typename T>
T load_le(std::span<const std::byte> from, std::size_t offset) {
  if (offset > from.size() || from.size() - offset < sizeof(T)) {
    bounds_failure(offset, sizeof(T), from.size());
  }
  std::uint64_t v = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    v |= std::to_integer<std::uint64_t>(from[offset + i]) << (8 * i);
  }
  return static_cast<T>(v);
}

template <typename T>
void store_le(std::span<std::byte> to, std::size_t offset, T value) {
  if (offset > to.size() || to.size() - offset < sizeof(T)) {
    bounds_failure(offset, sizeof(T), to.size());
  }
  const auto v = static_cast<std::uint64_t>(value);
  for (std::size_t i = 0; i < sizeof(T); ++i) {
    to[offset + i] = static_cast<std::byte>((v >> (8 * i)) & 0xff);
  }
}

}  // namespace dmremap
