// SPDX-License-Identifier: GPL-2.0-or-later
// A directory of a test's own, removed with all that is in it.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string>

#include <gtest/gtest.h>
#include <stdlib.h>

namespace dmremap {

class TemporaryDirectory {
 public:
  TemporaryDirectory() : path_(testing::TempDir() + "dmremap-XXXXXX") {
    if (::mkdtemp(path_.data()) == nullptr) throw std::runtime_error("no temporary directory");
    path_ = std::filesystem::canonical(path_);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  // Without links in it.
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace dmremap
