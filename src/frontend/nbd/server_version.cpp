// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/server_version.hpp"

#include <array>
#include <charconv>
#include <string>

#include <unistd.h>

#include "os/spawn.hpp"

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

// The beginning of the output of a program; empty if it cannot be run.
std::string output_of(const char* program, const char* option) {
  auto pipe = os::make_pipe();
  if (!pipe) return {};
  os::Command command{{program, option}};
  command.output = pipe->writing.get();
  const auto child = os::spawn(command);
  pipe->writing.reset();
  if (!child) return {};
  std::array<char, 256> text{};
  const ssize_t got = ::read(pipe->reading.get(), text.data(), text.size());
  (void)os::wait_for(*child);
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
