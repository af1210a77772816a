// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/set_devices.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>

#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_names.hpp"
#include "discovery/assembly.hpp"
#include "discovery/device_look.hpp"
#include "discovery/hints.hpp"

namespace dmremap::cli {

namespace {

// The name of the set that is meant; empty: it is a device.
Result<std::optional<std::string>> set_meant(const control::RuntimeDir& runtime,
                                             const std::string& given, DevicesWanted wanted) {
  if (is_device_argument(given)) {
    if (wanted == DevicesWanted::all_by_name) return std::optional<std::string>();
    return set_served_at(runtime, given);
  }
  const auto sets = named_sets(runtime);
  const auto name = name_meant(given, sets);
  if (!name) return failure_of(name);
  const bool is_known =
      std::ranges::any_of(sets, [&](const NamedSet& set) { return set.name == *name; });
  std::error_code ignored;
  if (!is_known && std::filesystem::exists(given, ignored)) return std::optional<std::string>();
  if (auto fine = discovery::check_set_name(*name); !fine) return failure_of(fine);
  return std::optional(*name);
}

Result<void> add_running(SetDevices& out, const control::RuntimeDir& runtime,
                         const std::string& name, DevicesWanted wanted) {
  const auto status = running_status(runtime, name);
  if (!status) return failure_of(status);
  for (const control::SpareReport& spare : status->spares) out.paths.push_back(spare.path);
  if (wanted != DevicesWanted::spare) out.paths.push_back(status->main.path);
  return {};
}

Result<void> add_stopped(SetDevices& out, const control::RuntimeDir& runtime,
                         const std::string& name, DevicesWanted wanted) {
  const auto spare = stopped_set(runtime, name);
  if (!spare) return failure_of(spare);
  out.paths.push_back(spare->path);
  if (wanted == DevicesWanted::spare || !spare->survey.content) return {};
  const auto hint = discovery::Hints(runtime.hints()).find(spare->identity().name);
  discovery::DeviceLook look;
  const auto members =
      discovery::find_main(*spare, {hint ? hint->main_path : std::string(), {}}, look);
  if (members) {
    out.paths.push_back(members->main.path);
  } else {
    out.no_main = members.error();
  }
  return {};
}

}  // namespace

manual::Option add_devices(manual::Verb verb, std::vector<std::string>& devices,
                           const std::string& text) {
  return verb.add_option("NAME|DEVICE", devices, text);
}

Result<std::optional<std::string>> running_set_meant(const std::vector<std::string>& given) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime || given.size() != 1) return std::optional<std::string>();
  auto name = set_meant(*runtime, given.front(), DevicesWanted::spare);
  if (!name || !*name || is_running(*runtime, **name)) return name;
  return std::optional<std::string>();
}

Result<SetDevices> devices_meant(const std::vector<std::string>& given, DevicesWanted wanted) {
  SetDevices out;
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return SetDevices{given, std::nullopt};
  for (const std::string& one : given) {
    const auto name = set_meant(*runtime, one, wanted);
    if (!name) return failure_of(name);
    if (!*name) {
      out.paths.push_back(one);
      continue;
    }
    auto added = is_running(*runtime, **name) ? add_running(out, *runtime, **name, wanted)
                                              : add_stopped(out, *runtime, **name, wanted);
    if (!added) return failure_of(added);
    tell(fmt::format("the devices of {} are {}", **name, fmt::join(out.paths, " and ")));
  }
  return out;
}

}  // namespace dmremap::cli
