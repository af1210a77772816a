// SPDX-License-Identifier: GPL-2.0-or-later
// Where the devices of a set were last seen, one small file a set in the runtime directory. Hints
// and nothing more: whatever is found there is checked by what the devices themselves say.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "discovery/identity.hpp"

namespace dmremap::discovery {

// `[A-Za-z0-9][A-Za-z0-9_.-]{0,63}`; so a name is never a path, nor hidden.
[[nodiscard]] bool is_set_name(std::string_view text);
// Error usage, with the rule.
[[nodiscard]] Result<void> check_set_name(std::string_view text);

struct Hint {
  std::string main_path;
  std::string spare_path;
  std::string mount_path;  // where the device was last served; empty: never
  // Which set it is, and what its main is known by: so that main is known for what it is when the
  // spare is not there. None in what earlier versions wrote.
  std::optional<Uuid> set_uuid = {};
  RecordedMain main = {};

  bool operator==(const Hint&) const = default;
};

// Not thread-safe against itself in one process; between processes a file is replaced as a whole.
class Hints {
 public:
  // `directory` may not exist yet.
  explicit Hints(std::string directory) : directory_(std::move(directory)) {}

  // None: no hint, or one that cannot be understood.
  [[nodiscard]] std::optional<Hint> find(const std::string& name) const;
  // The name of the set that is meant by its name or, where no set has that name, by its UUID. The
  // text itself if there is no hint of such a set.
  [[nodiscard]] std::string name_of(const std::string& name_or_uuid) const;
  // Best effort: a hint that cannot be written only costs convenience.
  void remember(const std::string& name, const Hint& hint) const;
  void forget(const std::string& name) const;
  // Sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::string directory_;
};

}  // namespace dmremap::discovery
