// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/server_version.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <string>

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file_descriptor.hpp"

namespace dmremap::nbd {

namespace {

// Takes a number from the front of the text.
std::optional<unsigned> take_number(std::string_view& text) {
  unsigned number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return number;
}

bool take(std::string_view& text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

// The first line or so of what it prints; empty if it cannot be run.
std::string output_of(const char* program, const char* option) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return {};
  const FileDescriptor from_child(ends[0]);
  FileDescriptor to_parent(ends[1]);
  posix_spawn_file_actions_t files;
  ::posix_spawn_file_actions_init(&files);
  ::posix_spawn_file_actions_adddup2(&files, to_parent.get(), STDOUT_FILENO);
  std::string name = program;
  std::string argument = option;
  const std::array<char*, 3> argv{name.data(), argument.data(), nullptr};
  pid_t child = -1;
  const int failed = ::posix_spawn(&child, program, &files, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&files);
  to_parent.reset();
  if (failed != 0) return {};
  std::array<char, 256> text{};
  const ssize_t got = ::read(from_child.get(), text.data(), text.size());
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return {text.data(), got > 0 ? static_cast<std::size_t>(got) : 0};
}

}  // namespace

std::optional<ServerVersion> parse_server_version(std::string_view text) {
  if (!take(text, "nbdkit ")) return std::nullopt;
  const auto major = take_number(text);
  if (!major || !take(text, ".")) return std::nullopt;
  const auto minor = take_number(text);
  if (!minor || !take(text, ".")) return std::nullopt;
  const auto micro = take_number(text);
  if (!micro) return std::nullopt;
  return ServerVersion{*major, *minor, *micro};
}

std::optional<ServerVersion> server_version() {
  return parse_server_version(output_of("/proc/self/exe", "--version"));
}

bool survives_lost_clients(const std::optional<ServerVersion>& version) {
  return version && *version >= ServerVersion{1, 33, 10};
}

}  // namespace dmremap::nbd
