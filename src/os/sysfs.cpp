// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/sysfs.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstddef>
#include <filesystem>
#include <system_error>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace dmremap::os {

namespace {

// By system calls alone: a start reads hundreds of these, and a stream for each costs several times
// what the kernel takes.
std::string contents_of(const std::string& path) {
  const FileDescriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  std::string out;
  if (!file.valid()) return out;
  std::array<char, 4096> piece{};  // an attribute is a page at most
  for (;;) {
    const ssize_t got = ::read(file.get(), piece.data(), piece.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return out;
    out.append(piece.data(), static_cast<std::size_t>(got));
  }
}

}  // namespace

std::string read_attribute(const std::string& path) {
  const std::string text = contents_of(path);
  constexpr std::string_view kBlank{" \t\n\r\0", 5};
  const auto first = text.find_first_not_of(kBlank);
  if (first == std::string::npos) return {};
  return text.substr(first, text.find_last_not_of(kBlank) - first + 1);
}

bool write_attribute(const std::string& path, std::string_view text) {
  const FileDescriptor file(::open(path.c_str(), O_WRONLY | O_TRUNC | O_CLOEXEC));
  return file.valid() &&
         ::write(file.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size());
}

std::vector<std::string> names_in(const std::string& directory) {
  std::vector<std::string> names;
  std::error_code error;
  std::filesystem::directory_iterator entry(directory, error);
  while (!error && entry != std::filesystem::directory_iterator()) {
    names.push_back(entry->path().filename().string());
    entry.increment(error);
  }
  std::ranges::sort(names);
  return names;
}

std::optional<dev_t> parse_device_number(std::string_view text) {
  unsigned int major = 0;
  unsigned int minor = 0;
  const char* const end = text.data() + text.size();
  const auto after_major = std::from_chars(text.data(), end, major);
  if (after_major.ec != std::errc() || after_major.ptr == end || *after_major.ptr != ':') {
    return std::nullopt;
  }
  const auto after_minor = std::from_chars(after_major.ptr + 1, end, minor);
  if (after_minor.ec != std::errc() || after_minor.ptr != end) return std::nullopt;
  return makedev(major, minor);
}

std::string sysfs_directory_of(dev_t device, const std::string& sys) {
  return fmt::format("{}/dev/block/{}:{}", sys, major(device), minor(device));
}

std::string place_in_devices(const std::string& directory) {
  std::error_code error;
  const auto link = std::filesystem::read_symlink(directory, error);
  if (!error && link.string().find("/devices/") != std::string::npos) return link.string();
  const auto real = std::filesystem::canonical(directory, error);
  return error ? std::string() : real.string();
}

std::string node_of(dev_t device) {
  std::string name = std::filesystem::path(place_in_devices(sysfs_directory_of(device))).filename();
  if (name.empty()) return {};
  std::ranges::replace(name, '!', '/');
  return "/dev/" + name;
}

}  // namespace dmremap::os
