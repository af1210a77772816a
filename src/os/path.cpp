// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/path.hpp"

#include <filesystem>
#include <system_error>

namespace dmremap::os {

namespace fs = std::filesystem;

std::string absolute(const std::string& path) {
  std::error_code error;
  const fs::path made = fs::absolute(path, error);
  return error ? path : made.lexically_normal().string();
}

Result<std::string> resolve_directory_of(const std::string& path) {
  const fs::path given(path);
  std::error_code error;
  const fs::path directory =
      fs::canonical(given.has_parent_path() ? given.parent_path() : fs::path("."), error);
  if (error) return fail_errno(error.value(), "find the directory of", path);
  return (directory / given.filename()).string();
}

std::string canonical(const std::string& path) {
  return resolve_directory_of(path).value_or(path);
}

std::string link_target(const std::string& link) {
  std::error_code error;
  const fs::path target = fs::read_symlink(link, error);
  if (error) return {};
  return (fs::path(absolute(link)).parent_path() / target).lexically_normal().string();
}

}  // namespace dmremap::os
