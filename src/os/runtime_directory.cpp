// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/runtime_directory.hpp"

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "os/path.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::os {

namespace fs = std::filesystem;

namespace {

constexpr const char* kOwnDirectory =
    "set DMREMAP_RUNTIME_DIR to a directory of your own, mode 0700";

tl::unexpected<Error> with_hint(Error error) {
  error.hint = kOwnDirectory;
  return tl::unexpected(std::move(error));
}

// The directory that the runtime directory lies in; made, if need be, below directories that others
// cannot change.
Result<TrustedDirectory> open_parent(const fs::path& path) {
  const auto trust = PathTrust::no_foreign_changes;
  const fs::path parent = path.parent_path();
  fs::path existing = parent;
  std::error_code error;
  while (existing.has_relative_path() && !fs::exists(existing, error)) {
    existing = existing.parent_path();
  }
  auto opened = TrustedDirectory::open(existing.string(), trust);
  if (!opened || existing == parent) return opened;
  fs::create_directories(parent, error);
  if (error) return fail_errno(error.value(), "make the directory", parent.string());
  return TrustedDirectory::open(parent.string(), trust);
}

}  // namespace

std::string environment(const char* variable) {
  const char* value = std::getenv(variable);
  return value == nullptr ? std::string() : std::string(value);
}

Result<std::string> runtime_directory() {
  if (auto named = environment("DMREMAP_RUNTIME_DIR"); !named.empty()) return absolute(named);
  if (::geteuid() == 0) return std::string(kRootRuntimeDirectory);
  const std::string session = environment("XDG_RUNTIME_DIR");
  if (!session.empty()) return absolute(session + "/dmremap");
  // Without a session (ssh without a login manager, su, cron): the directory that systemd made for
  // this user, else a private one. Both are found again by the next command.
  const std::string of_user = fmt::format("/run/user/{}", ::geteuid());
  struct stat st {};
  if (::stat(of_user.c_str(), &st) == 0 && st.st_uid == ::geteuid()) return of_user + "/dmremap";
  return fmt::format("/tmp/dmremap-{}", ::geteuid());
}

Result<void> make_runtime_directory(const std::string& directory) {
  const fs::path path(directory);
  const auto parent = open_parent(path);
  if (!parent) return with_hint(parent.error());
  const std::string name = path.filename().string();
  if (::mkdirat(parent->fd(), name.c_str(), 0700) != 0 && errno != EEXIST) {
    return fail_errno(errno, "make the runtime directory", directory, kOwnDirectory);
  }
  const auto opened = TrustedDirectory::open(directory, PathTrust::no_foreign_changes);
  if (!opened) return with_hint(opened.error());
  struct stat st {};
  if (::fstat(opened->fd(), &st) != 0) return fail_errno(errno, "open", directory);
  // The sticky bit, which the look at the path is content with, would still let others add files.
  if (st.st_uid != ::geteuid() || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::permission, "others can write to the runtime directory", directory,
                kOwnDirectory);
  }
  return {};
}

}  // namespace dmremap::os
