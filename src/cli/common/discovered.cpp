// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/discovered.hpp"

#include <cstdint>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "cli/common/lookup.hpp"

namespace dmremap::cli {

discovery::Discovery discover_sets(const std::vector<std::string>& devices,
                                   const control::RuntimeDir& runtime,
                                   std::chrono::seconds patience) {
  const discovery::RunLookup runs{
      [&](const std::string& name, const Uuid& uuid) { return is_running(runtime, name, uuid); },
      [&](const std::string& name) { return memory_path(runtime, name); }};
  return discovery::discover(devices, discovery::Hints(runtime.hints()), runs, patience);
}

void add_search_deadline(manual::Verb verb, std::string& text) {
  verb.add_option("--deadline", text,
                  fmt::format("how long a device may be silent before it is left out ({})",
                              discovery::kSearchPatience.count()))
      .type_name("SECONDS");
}

Result<std::chrono::seconds> search_deadline(const std::string& text) {
  constexpr std::uint64_t kMost = 3600;
  if (text.empty()) return discovery::kSearchPatience;
  const auto seconds = parse_number(text);
  if (seconds && *seconds >= 1 && *seconds <= kMost) return std::chrono::seconds(*seconds);
  return fail(ErrorCode::usage, "is no number of seconds", text,
              fmt::format("--deadline takes 1 to {}", kMost));
}

std::optional<Error> search_error(const std::vector<Error>& silent) {
  if (silent.empty()) return std::nullopt;
  Error out = silent.front();
  if (silent.size() > 1) {
    std::vector<std::string> paths;
    for (const Error& one : silent) paths.push_back(one.where);
    out.where = fmt::format("{}", fmt::join(paths, ", "));
    out.what += "; so did others of these";
  }
  out.hint = "a longer --deadline waits for a failing disk; one that hangs is to be unplugged";
  return out;
}

std::string state_of(const discovery::DiscoveredSet& set) {
  if (set.running) return "running";
  return set.problem ? std::string(name_of(set.problem->code)) : "whole";
}

}  // namespace dmremap::cli
