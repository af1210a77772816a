// SPDX-License-Identifier: GPL-2.0-or-later
// The required sections of a body except the table: identity, configuration and health. Each packs
// into a zeroed field of fixed size. Unpacking accepts any bytes and returns nothing if they make
// no sense. Optional sections have a file each: copy_record, evidence, history, recorded_facts.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "format/content.hpp"

namespace dmremap::format {

inline constexpr std::size_t kIdentityBytes = 1536;
inline constexpr std::size_t kConfigurationBytes = 256;
inline constexpr std::size_t kHealthBytes = 3312;
inline constexpr std::size_t kFingerprintBytes = 640;
inline constexpr std::size_t kEventBytes = 64;

void pack_identity(const Identity& identity, std::span<std::byte> out);
void pack_configuration(const Configuration& configuration, std::span<std::byte> out);
void pack_health(const Health& health, std::span<std::byte> out);

[[nodiscard]] std::optional<Identity> unpack_identity(std::span<const std::byte> from);
[[nodiscard]] std::optional<Configuration> unpack_configuration(std::span<const std::byte> from);
[[nodiscard]] std::optional<Health> unpack_health(std::span<const std::byte> from);

// One event of kEventBytes, as it lies in the health section and in the history.
void pack_event(const Event& event, std::span<std::byte> out);
[[nodiscard]] std::optional<Event> unpack_event(std::span<const std::byte> from);

// One table entry, 24 bytes. State good packs to zeros and stands for an unused place.
//   0  8  main sector (bits 0-39), sectors (bits 40-63)
//   8  8  spare sector (0-39), spare index (40-47), state (48-55), errno of the cause (56-63)
//  16  4  low 32 bits of the sequence of the commit that bound it
//  20  4  wall clock seconds then
class ExtentCodec {
 public:
  static void pack(const Extent& extent, std::span<std::byte> out);
  [[nodiscard]] static std::optional<Extent> unpack(std::span<const std::byte> from);
};

}  // namespace dmremap::format
