// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/control_group.hpp"

#include <sstream>
#include <string_view>

#include <fmt/format.h>
#include <unistd.h>

#include "os/sysfs.hpp"

namespace dmremap::os {

namespace {

constexpr const char* kGroups = "/sys/fs/cgroup";

std::vector<std::pair<std::string, std::string>> groups_of(const std::string& process) {
  return control_groups_in(read_attribute(fmt::format("/proc/{}/cgroup", process)));
}

// Version 2 alone is mounted right there; beside version 1 it has a directory of its own.
std::string directory_of(const std::string& hierarchy) {
  const std::string own = std::string(kGroups) + hierarchy;
  return hierarchy == "/unified" && ::access(own.c_str(), F_OK) != 0 ? kGroups : own;
}

}  // namespace

// A line for each hierarchy, NUMBER:CONTROLLERS:PATH. That of version 2 is number 0.
std::vector<std::pair<std::string, std::string>> control_groups_in(const std::string& text) {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    constexpr std::string_view kUnified = "0::";
    constexpr std::string_view kOfSystemd = ":name=systemd:";
    const std::size_t named = line.find(kOfSystemd);
    if (line.starts_with(kUnified)) out.emplace_back("/unified", line.substr(kUnified.size()));
    if (named != std::string::npos) {
      out.emplace_back("/systemd", line.substr(named + kOfSystemd.size()));
    }
  }
  return out;
}

Result<void> join_control_group_of(pid_t pid) {
  const auto wanted = groups_of(std::to_string(pid));
  if (wanted == groups_of("self")) return {};
  for (const auto& [hierarchy, group] : wanted) {
    const std::string file = directory_of(hierarchy) + group + "/cgroup.procs";
    // 0 is whoever writes it.
    if (!write_attribute(file, "0")) {
      return fail(ErrorCode::io, "the control group cannot be joined", file, "see cgroups(7)");
    }
  }
  if (wanted == groups_of("self")) return {};
  return fail(ErrorCode::io, "the kernel has not moved this process to its control group",
              fmt::format("process {}", pid), "see cgroups(7)");
}

}  // namespace dmremap::os
