// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "base/result.hpp"

namespace dmremap::set {

// A new file with all its space reserved, so that a full disk is noticed now and not when a sector
// has to be saved. Removed at the end unless kept.
class SpareFile {
 public:
  SpareFile() = default;
  // Rounds up to 4 KiB. Errors: device_too_small; spare_has_data if something is there; no_space;
  // permission; io. Leaves nothing behind then.
  static Result<SpareFile> make(const std::string& path, std::uint64_t bytes);

  SpareFile(SpareFile&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  SpareFile& operator=(SpareFile&& other) noexcept {
    std::swap(path_, other.path_);
    return *this;
  }
  SpareFile(const SpareFile&) = delete;
  SpareFile& operator=(const SpareFile&) = delete;
  ~SpareFile();

  void keep() { path_.clear(); }

 private:
  explicit SpareFile(std::string path) : path_(std::move(path)) {}
  std::string path_;  // empty: nothing to remove
};

}  // namespace dmremap::set
