// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/stable_links.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/parse.hpp"
#include "os/path.hpp"
#include "os/set_link.hpp"
#include "os/sysfs.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::frontend {

namespace {

namespace fs = std::filesystem;

bool exists(const std::string& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0;
}

bool is_taken(const std::string& link) {
  struct stat status {};
  return ::lstat(link.c_str(), &status) == 0 && exists(link);
}

}  // namespace

Result<void> place_link(const std::string& link, const std::string& node) {
  const std::filesystem::path path(link);
  std::error_code error;
  if (std::filesystem::create_directories(path.parent_path(), error)) {
    ::chmod(path.parent_path().c_str(), 0755);
  }
  if (error) return fail_errno(error.value(), "make the directory", path.parent_path().string());
  const auto directory =
      os::TrustedDirectory::open_parent_of(link, os::PathTrust::no_foreign_changes);
  if (!directory) return failure_of(directory);
  const std::string name = path.filename().string();
  // The link is made under another name and renamed over the old one, so that it never is missing.
  const std::string temporary = fmt::format("{}.{}", name, ::getpid());
  ::unlinkat(directory->fd(), temporary.c_str(), 0);
  if (::symlinkat(node.c_str(), directory->fd(), temporary.c_str()) != 0) {
    return fail_errno(errno, "make the link", link);
  }
  if (::renameat(directory->fd(), temporary.c_str(), directory->fd(), name.c_str()) != 0) {
    const int failure = errno;
    ::unlinkat(directory->fd(), temporary.c_str(), 0);
    return fail_errno(failure, "place the link", link);
  }
  return {};
}

void remove_link(const std::string& link, const std::string& node) {
  if (os::link_target(link) == node) ::unlink(link.c_str());
}

std::map<std::uint64_t, std::string> partitions_of(const std::string& node,
                                                   const std::string& sys) {
  std::map<std::uint64_t, std::string> out;
  const std::string disk = fs::path(node).filename().string();
  const std::string directory = fmt::format("{}/block/{}", sys, disk);
  for (const std::string& name : os::names_in(directory)) {
    if (!name.starts_with(disk)) continue;
    const auto number =
        parse_number(os::read_attribute(fmt::format("{}/{}/partition", directory, name)));
    if (number) out[*number] = (fs::path(node).parent_path() / name).string();
  }
  return out;
}

StableLinks::StableLinks(std::string link, std::string node) : node_(std::move(node)) {
  if (link.empty()) return;
  if (auto placed = place_link(link, node_); placed) {
    path_ = std::move(link);
    follow_partitions();
  } else {
    log(Severity::warning, placed.error().message());
  }
}

void StableLinks::follow_partitions(const std::string& sys) {
  if (path_.empty()) return;
  auto found = partitions_of(node_, sys);
  if (found == partitions_) return;
  for (const auto& [number, node] : partitions_) {
    if (!found.contains(number)) remove_link(os::partition_link(path_, number), node);
  }
  for (const auto& [number, node] : found) {
    const std::string link = os::partition_link(path_, number);
    if (is_taken(link) && os::link_target(link) != node) {
      log(Severity::warning,
          fmt::format("{}: not made for {}: something else has this name", link, node));
      continue;
    }
    if (auto placed = place_link(link, node); !placed) {
      log(Severity::warning, placed.error().message());
    }
  }
  partitions_ = std::move(found);
}

void StableLinks::remove() {
  if (path_.empty()) return;
  for (const auto& [number, node] : partitions_) {
    remove_link(os::partition_link(path_, number), node);
  }
  partitions_.clear();
  remove_link(path_, node_);
  path_.clear();
}

void StableLinks::keep() {
  partitions_.clear();
  path_.clear();
}

void clear_partition_links(const std::string& link) {
  const fs::path whole(link);
  const std::string prefix = whole.filename().string() + "-part";
  for (const std::string& name : os::names_in(whole.parent_path().string())) {
    if (!name.starts_with(prefix) || !parse_number(name.substr(prefix.size()))) continue;
    const std::string path = (whole.parent_path() / name).string();
    if (!os::link_target(path).empty() && !exists(path)) ::unlink(path.c_str());
  }
}

}  // namespace dmremap::frontend
