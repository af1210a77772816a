// SPDX-License-Identifier: GPL-2.0-or-later
// 128-bit identities: UUIDs of sets and devices (RFC 4122 text form), commit ids (32 hex digits).
#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace dmremap {

struct Uuid {
  std::array<std::byte, 16> bytes{};

  [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
  auto operator<=>(const Uuid&) const = default;
};

struct CommitId {
  std::array<std::byte, 16> bytes{};

  [[nodiscard]] bool is_nil() const { return *this == CommitId{}; }
  auto operator<=>(const CommitId&) const = default;
};

[[nodiscard]] std::string to_string(const Uuid& uuid);    // 8-4-4-4-12
[[nodiscard]] std::string to_string(const CommitId& id);  // 32 hex digits
[[nodiscard]] std::optional<Uuid> parse_uuid(std::string_view text);
[[nodiscard]] std::optional<CommitId> parse_commit_id(std::string_view text);

}  // namespace dmremap
