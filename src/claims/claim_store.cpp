// SPDX-License-Identifier: GPL-2.0-or-later
#include "claims/claim_store.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"
#include "claims/claim_text.hpp"
#include "discovery/set_name.hpp"
#include "os/descriptor_io.hpp"
#include "os/sysfs.hpp"

namespace dmremap::claims {

namespace fs = std::filesystem;

namespace {

constexpr off_t kLargestFile = 1 << 20;

Result<Claim> read_claim(const FileDescriptor& fd, const std::string& name,
                         const std::string& path) {
  struct stat st {};
  if (::fstat(fd.get(), &st) != 0) return fail_errno(errno, "look at", path);
  const bool is_own = st.st_uid == 0 || st.st_uid == ::geteuid();
  if (!S_ISREG(st.st_mode) || !is_own || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    return fail(ErrorCode::permission, "others can change this claim, so it is not believed", path,
                "give it to root with mode 0600 if it is right");
  }
  if (st.st_size > kLargestFile) {
    return fail(ErrorCode::claim_damaged, "is too large for a claim", path, "remove it");
  }
  auto claim = parse_claim(os::read_to_end(fd.get()), path);
  if (claim && claim->name != name) {
    return fail(ErrorCode::claim_damaged, "is the claim of the set " + claim->name, path,
                "a claim has the name of its set: rename or remove it");
  }
  return claim;
}

// Readable by its owner alone: it holds serial numbers.
Result<void> write_new(const std::string& path, const std::string& text) {
  const FileDescriptor fd(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail_errno(errno, "make", path);
  if (auto written = os::write_all(fd.get(), text, path); !written) return written;
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "write", path);
  return {};
}

Result<void> sync_directory(const std::string& path) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.valid()) return fail_errno(errno, "open", path);
  if (::fsync(fd.get()) != 0) return fail_errno(errno, "write", path);
  return {};
}

// The parent may be read by everybody, as the rest of /etc.
Result<void> make_directory(const std::string& path) {
  const std::string parent = fs::path(path).parent_path();
  for (const auto& [directory, mode] : {std::pair{parent, 0755U}, std::pair{path, 0700U}}) {
    if (::mkdir(directory.c_str(), mode) == 0) {
      if (auto kept = sync_directory(fs::path(directory).parent_path()); !kept) return kept;
    } else if (errno != EEXIST) {
      return fail_errno(errno, "make the directory", directory);
    }
  }
  return {};
}

}  // namespace

std::string ClaimStore::path_of(const std::string& name) const {
  return directory_ + "/" + name;
}

std::optional<ClaimFile> ClaimStore::find(const std::string& name) const {
  if (!keeps_claims() || !discovery::is_set_name(name)) return std::nullopt;
  const std::string path = path_of(name);
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  if (!fd.valid()) {
    if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
    return ClaimFile{name, fail_errno(errno, "open", path)};
  }
  return ClaimFile{name, read_claim(fd, name, path)};
}

std::vector<ClaimFile> ClaimStore::all() const {
  std::vector<ClaimFile> out;
  if (!keeps_claims()) return out;
  for (const std::string& name : os::names_in(directory_)) {
    if (auto file = find(name)) out.push_back(std::move(*file));
  }
  return out;
}

Result<void> ClaimStore::write(const Claim& claim) const {
  if (!keeps_claims()) return {};
  if (auto made = make_directory(directory_); !made) return made;
  // No set's name begins with a dot, so what a crash leaves here is not taken for a claim.
  const std::string draft = fmt::format("{}/.{}.{}", directory_, claim.name, ::getpid());
  (void)::unlink(draft.c_str());
  auto written = write_new(draft, to_text(claim));
  const std::string path = path_of(claim.name);
  if (written && ::rename(draft.c_str(), path.c_str()) != 0) {
    written = fail_errno(errno, "write", path);
  }
  if (!written) {
    (void)::unlink(draft.c_str());
    return written;
  }
  return sync_directory(directory_);
}

Result<void> ClaimStore::remove(const std::string& name) const {
  if (!keeps_claims() || !discovery::is_set_name(name)) return {};
  const std::string path = path_of(name);
  if (::unlink(path.c_str()) == 0) return sync_directory(directory_);
  if (errno == ENOENT || errno == ENOTDIR) return {};
  return fail_errno(errno, "remove", path);
}

}  // namespace dmremap::claims
