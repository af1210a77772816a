// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/trusted_directory.hpp"

#include <array>
#include <cerrno>
#include <climits>
#include <deque>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

namespace dmremap::os {

namespace {

namespace fs = std::filesystem;

// The limit of the kernel (include/linux/namei.h, MAXSYMLINKS).
constexpr int kMostLinks = 40;

bool is_ours(uid_t owner) {
  return owner == 0 || owner == ::geteuid();
}

// An access control list that lets others write shows as a writable group.
bool may_be_changed_by_others(const struct stat& status) {
  const bool writable = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
  return !is_ours(status.st_uid) || (writable && (status.st_mode & S_ISVTX) == 0);
}

std::string name_of_descriptor(int fd) {
  std::error_code error;
  return fs::read_symlink(fmt::format("/proc/self/fd/{}", fd), error).string();
}

Result<std::string> target_of(int link, const std::string& where) {
  std::array<char, PATH_MAX> text{};
  const ssize_t got = ::readlinkat(link, "", text.data(), text.size());
  if (got < 0) return fail_errno(errno, "follow the link", where);
  return std::string(text.data(), static_cast<std::size_t>(got));
}

// Walks from the root to a directory, one component after the other.
class PathWalk {
 public:
  PathWalk(const fs::path& path, PathTrust trust) : given_(path.string()), trust_(trust) {
    prepend(path);
  }

  Result<FileDescriptor> run() {
    if (auto begun = to_root(); !begun) return failure_of(begun);
    while (!rest_.empty()) {
      const std::string name = rest_.front();
      rest_.pop_front();
      if (auto done = step(name); !done) return failure_of(done);
    }
    return std::move(at_);
  }

 private:
  void prepend(const fs::path& path) {
    std::deque<std::string> parts;
    for (const fs::path& part : path.relative_path()) {
      if (!part.empty() && part != ".") parts.push_back(part.string());
    }
    rest_.insert(rest_.begin(), parts.begin(), parts.end());
  }

  Result<void> to_root() {
    at_ = FileDescriptor(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!at_.valid()) return fail_errno(errno, "open", "/");
    struct stat status {};
    if (::fstat(at_.get(), &status) != 0) return fail_errno(errno, "look at", "/");
    return judge(status, at_.get());
  }

  Result<void> step(const std::string& name) {
    FileDescriptor next(::openat(at_.get(), name.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    if (!next.valid()) return fail_errno(errno, "open", given_);
    struct stat status {};
    if (::fstat(next.get(), &status) != 0) return fail_errno(errno, "look at", given_);
    if (S_ISLNK(status.st_mode)) return follow(next, status);
    if (!S_ISDIR(status.st_mode)) return fail_errno(ENOTDIR, "open", given_);
    if (auto fine = judge(status, next.get()); !fine) return fine;
    at_ = std::move(next);
    return {};
  }

  // The owner of a link decides where it leads, even if the link lies in another user's directory.
  Result<void> follow(const FileDescriptor& link, const struct stat& status) {
    if (!is_ours(status.st_uid)) {
      return fail(ErrorCode::permission,
                  fmt::format("{} is a link that belongs to another user (uid {})",
                              name_of_descriptor(link.get()), status.st_uid),
                  given_, "name the place it points to");
    }
    if (++links_ > kMostLinks) return fail_errno(ELOOP, "open", given_);
    const auto target = target_of(link.get(), given_);
    if (!target) return failure_of(target);
    prepend(*target);
    return target->starts_with('/') ? to_root() : Result<void>();
  }

  [[nodiscard]] Result<void> judge(const struct stat& status, int fd) const {
    if (trust_ == PathTrust::no_foreign_links || !may_be_changed_by_others(status)) return {};
    return fail(ErrorCode::permission,
                fmt::format("others may change the directory {} (uid {}, mode {:o})",
                            name_of_descriptor(fd), status.st_uid, status.st_mode & 07777),
                given_, "name a place in directories that only root or you can write to");
  }

  std::string given_;
  PathTrust trust_;
  FileDescriptor at_;
  std::deque<std::string> rest_;
  int links_ = 0;
};

}  // namespace

Result<TrustedDirectory> TrustedDirectory::open(const std::string& directory, PathTrust trust) {
  std::error_code error;
  const fs::path absolute = fs::absolute(directory.empty() ? "." : directory, error);
  if (error) return fail_errno(error.value(), "find", directory);
  auto found = PathWalk(absolute, trust).run();
  if (!found) return failure_of(found);
  std::string path = name_of_descriptor(found->get());
  return TrustedDirectory(std::move(*found), std::move(path));
}

Result<TrustedDirectory> TrustedDirectory::open_parent_of(const std::string& path,
                                                          PathTrust trust) {
  return open(fs::path(path).parent_path().string(), trust);
}

std::string TrustedDirectory::entry(const std::string& name) const {
  return fmt::format("/proc/self/fd/{}/{}", fd_.get(), name);
}

}  // namespace dmremap::os
