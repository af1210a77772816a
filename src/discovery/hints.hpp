// SPDX-License-Identifier: GPL-2.0-or-later
// Remembers where the devices of each set were last seen, in one small file per set in a directory
// that outlives a boot (control/runtime_dir.hpp). These are hints and nothing more: whatever they
// lead to is checked by what the devices themselves show.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/uuid.hpp"
#include "discovery/identity.hpp"
#include "discovery/set_name.hpp"

namespace dmremap::discovery {

struct Hint {
  std::string main_path;
  std::string spare_path;
  std::string mount_path;  // where the device was last served; empty: never
  // The set, and the facts by which its main is recognised, so that main is known as the main of a
  // set even when the spare is not there. Missing in hints that earlier versions wrote.
  std::optional<Uuid> set_uuid = {};
  RecordedMain main = {};
  // For people who look for the spare: its model, serial number and size.
  format::Fingerprint spare = {};

  bool operator==(const Hint&) const = default;
};

// Not thread-safe against itself in one process; between processes a file is replaced as a whole.
class Hints {
 public:
  // `directory` may not exist yet.
  explicit Hints(std::string directory) : directory_(std::move(directory)) {}

  // Empty if there is no hint, or one that cannot be understood.
  [[nodiscard]] std::optional<Hint> find(const std::string& name) const;
  // The name of the set that is meant by its name or, where no set has that name, by its UUID.
  // Returns the text itself if there is no hint of such a set.
  [[nodiscard]] std::string name_of(const std::string& name_or_uuid) const;
  // A hint that cannot be written only costs convenience, so errors are ignored.
  void remember(const std::string& name, const Hint& hint) const;
  void forget(const std::string& name) const;
  // Sorted.
  [[nodiscard]] std::vector<std::string> names() const;

 private:
  std::string directory_;
};

}  // namespace dmremap::discovery
