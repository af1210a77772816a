// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/host_configuration.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <utility>

#include <fmt/format.h>
#include <glob.h>

#include "discovery/candidates.hpp"
#include "format/policy_section.hpp"
#include "os/path.hpp"
#include "os/runtime_directory.hpp"

namespace dmremap::discovery {

namespace {

constexpr std::array<std::string_view, 6> kExports{"auto", "dm", "ublk", "block", "fuse", "nbd"};

std::string_view without_blanks(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const std::size_t begin = text.find_first_not_of(kBlanks);
  if (begin == text.npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// What is wrong with the line; empty: it was taken.
std::string take(HostConfiguration& out, std::string_view key, std::string_view value) {
  if (value.empty()) return fmt::format("{} has no value", key);
  if (key == "image" || key == "exclude") {
    if (value.front() != '/') return fmt::format("{} takes a whole path, with wildcards", key);
    (key == "image" ? out.images : out.excluded).emplace_back(value);
    return {};
  }
  if (key == "export") {
    if (std::ranges::find(kExports, value) == kExports.end()) {
      return fmt::format("export is one of {}", fmt::join(kExports, ", "));
    }
    out.exports.emplace_back(value);
    return {};
  }
  if (key == "wait") {
    const auto seconds = boot_wait_of(value);
    if (!seconds) {
      return fmt::format("wait is a number of seconds from {} to {}", format::kBootWaitS.least,
                         format::kBootWaitS.most);
    }
    out.boot_wait_s = seconds;
    return {};
  }
  return fmt::format("there is no setting '{}'", key);
}

std::vector<std::string> paths_of(const std::string& pattern) {
  glob_t found{};
  std::vector<std::string> out;
  if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
    for (std::size_t i = 0; i < found.gl_pathc; ++i) out.emplace_back(found.gl_pathv[i]);
  }
  ::globfree(&found);
  return out;
}

// What a link leads to; the path itself if that cannot be told.
std::string without_links(const std::string& path) {
  std::error_code error;
  const auto target = std::filesystem::canonical(path, error);
  return error ? path : target.string();
}

std::string configuration_path() {
  for (const char* variable : {"DMREMAP_CONFIG_DIR", "DMREMAP_RUNTIME_DIR"}) {
    if (const auto named = os::environment(variable); !named.empty()) {
      return os::absolute(named) + "/dmremap.conf";
    }
  }
  return "/etc/dm-remap/dmremap.conf";
}

}  // namespace

std::optional<std::uint32_t> boot_wait_of(std::string_view text) {
  std::uint32_t seconds = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc{} || stop != end || !format::kBootWaitS.contains(seconds)) {
    return std::nullopt;
  }
  return seconds;
}

HostConfiguration parse_host_configuration(std::string_view text, const std::string& path) {
  HostConfiguration out;
  for (int number = 1; !text.empty(); ++number) {
    const std::size_t length = std::min(text.find('\n'), text.size());
    const std::string_view line = without_blanks(text.substr(0, length));
    text.remove_prefix(std::min(length + 1, text.size()));
    if (line.empty() || line.front() == '#') continue;
    const std::size_t sign = line.find('=');
    const std::string wrong = sign == line.npos ? "it is no `setting = value`"
                                                : take(out, without_blanks(line.substr(0, sign)),
                                                       without_blanks(line.substr(sign + 1)));
    if (wrong.empty()) continue;
    out.problems.push_back({ErrorCode::usage, wrong + "; the line is left out",
                            fmt::format("{}:{}", path, number), "see dmremap.conf(5)"});
  }
  return out;
}

const HostConfiguration& host_configuration() {
  static const HostConfiguration configuration = [] {
    const std::string path = configuration_path();
    std::ifstream file(path);
    std::ostringstream text;
    if (file) text << file.rdbuf();
    return parse_host_configuration(text.str(), path);
  }();
  return configuration;
}

std::vector<std::string> searched_places(const HostConfiguration& configuration) {
  std::set<std::string> excluded;
  for (const std::string& pattern : configuration.excluded) {
    for (const std::string& path : paths_of(pattern)) excluded.insert(without_links(path));
  }
  std::vector<std::string> out = block_devices();
  for (const std::string& pattern : configuration.images) {
    for (const std::string& path : paths_of(pattern)) {
      std::error_code error;
      if (std::filesystem::is_regular_file(path, error)) out.push_back(path);
    }
  }
  std::erase_if(out, [&](const std::string& path) {
    return !excluded.empty() && excluded.contains(without_links(path));
  });
  std::ranges::sort(out);
  out.erase(std::unique(out.begin(), out.end()), out.end());
  return out;
}

}  // namespace dmremap::discovery
