// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/set_names.hpp"

#include <algorithm>
#include <filesystem>
#include <set>

#include <fmt/format.h>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "discovery/hints.hpp"
#include "discovery/uuid_prefix.hpp"
#include "frontend/fuse/loop_device.hpp"
#include "os/path.hpp"
#include "os/set_link.hpp"
#include "os/unit_name.hpp"
#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

namespace fs = std::filesystem;

bool are_same(const std::string& a, const std::string& b) {
  const auto one = os::storage_of(a);
  return one && one == os::storage_of(b);
}

// True if the set of that name is served at `path`, as far as the system can tell: the set is not
// asked, for it may not answer.
bool is_seen_at(const control::RuntimeDir& runtime, const std::string& name,
                const std::string& path) {
  if (are_same(os::set_link(name), path)) return true;
  const auto hint = discovery::Hints(runtime.hints()).find(name);
  const std::string file = os::canonical(
      hint && !hint->mount_path.empty() ? hint->mount_path : runtime.mount_file(name));
  // The file of a dead process cannot be looked at, but it still has its name.
  if (os::canonical(path) == file) return true;
  const auto loops = fuse::loops_over(file);
  return std::ranges::any_of(loops, [&](const std::string& loop) { return are_same(loop, path); });
}

// True if the set says so itself.
bool says_it_is_at(const control::RuntimeDir& runtime, const std::string& name,
                   const std::string& path) {
  if (!is_running(runtime, name)) return false;
  const auto status = running_status(runtime, name);
  return status && std::ranges::any_of(status->exports, [&](const control::ExportReport& one) {
           return one.where == path || are_same(one.where, path);
         });
}

// The error for a path at which no set is served. A device of a set is named as such: it is what a
// user takes for the set most often.
Error not_served(const control::RuntimeDir& runtime, const std::string& path) {
  const discovery::Hints hints(runtime.hints());
  for (const std::string& name : hints.names()) {
    const auto hint = hints.find(name);
    if (!hint) continue;
    const bool is_main = are_same(hint->main_path, path);
    if (!is_main && !are_same(hint->spare_path, path)) continue;
    return {ErrorCode::usage,
            fmt::format("is {} of the set {}, not the set's own device",
                        is_main ? "main" : "the spare", name),
            path, "name the set: " + name};
  }
  return {
      ErrorCode::usage, "no set is served there", path,
      "give the name or UUID of a set, or /dev/dm-remap/NAME; `dmremap list -a` lists the sets"};
}

}  // namespace

std::vector<NamedSet> named_sets(const control::RuntimeDir& runtime) {
  const discovery::Hints hints(runtime.hints());
  std::set<std::string> names;
  for (std::string& name : hints.names()) names.insert(std::move(name));
  for (std::string& name : runtime.names()) names.insert(std::move(name));
  std::vector<NamedSet> out;
  for (const std::string& name : names) {
    const auto hint = hints.find(name);
    out.push_back({name, hint ? hint->set_uuid : std::nullopt});
  }
  return out;
}

Result<std::string> name_meant(const std::string& word, const std::vector<NamedSet>& sets) {
  std::vector<std::string> found;
  for (const NamedSet& set : sets) {
    if (set.name == word) return word;
    if (set.uuid && discovery::is_uuid_prefix(word, *set.uuid)) found.push_back(set.name);
  }
  if (found.size() <= 1) return found.empty() ? word : found.front();
  return fail(ErrorCode::usage, fmt::format("the UUIDs of {} begin so", fmt::join(found, " and ")),
              word, "give more of its digits, or the name");
}

std::optional<std::string> set_served_at(const control::RuntimeDir& runtime,
                                         const std::string& path) {
  for (const std::string& name : runtime.names()) {
    if (is_seen_at(runtime, name, path)) return name;
  }
  const fs::path parts = fs::path(path).lexically_normal();
  const std::string last = parts.filename();
  if (parts == os::set_link(last) && discovery::is_set_name(last)) return last;
  return std::nullopt;
}

Result<std::string> resolve_set_name(const control::RuntimeDir& runtime, const std::string& text) {
  // The service has the name as it stands in the name of its unit.
  const std::string given = is_device_argument(text) ? text : os::unit_name_unescaped(text);
  const bool is_path = is_device_argument(given);
  auto served = is_path ? set_served_at(runtime, given) : std::nullopt;
  for (const std::string& name : runtime.names()) {
    if (is_path && !served && says_it_is_at(runtime, name, given)) served = name;
  }
  if (is_path && !served) return tl::unexpected(not_served(runtime, given));
  auto name = is_path ? Result<std::string>(*served) : name_meant(given, named_sets(runtime));
  if (name && *name != given) tell(fmt::format("{} is the set {}", given, *name));
  return name;
}

Result<std::string> resolve_set_name(const std::string& given) {
  const auto runtime = control::RuntimeDir::from_environment();
  return runtime ? resolve_set_name(*runtime, given) : given;
}

}  // namespace dmremap::cli
