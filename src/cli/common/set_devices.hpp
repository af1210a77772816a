// SPDX-License-Identifier: GPL-2.0-or-later
// The devices that a verb is given: by their paths, or by the set that they belong to.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "manual/command_line.hpp"

namespace dmremap::cli {

enum class DevicesWanted {
  spare,        // of a set its spare alone
  all,          // main too
  all_by_name,  // the same, but a path is always that device, also where a set is served there
};

struct SetDevices {
  std::vector<std::string> paths;  // in the order in which they were given
  // Why main of a set that was named cannot be told; empty if it was found, or is not wanted.
  std::optional<Error> no_main;
};

// The argument DEVICE... of a verb that takes a set as well.
manual::Option add_devices(manual::Verb verb, std::vector<std::string>& devices,
                           const std::string& text);

// What was given is a device if it has a '/' and no set is served there, else the name of a set
// (cli/common/set_names.hpp). A file that is called as no set is, is a device too. Errors: as
// resolve_set_name, stopped_set, running_status.
[[nodiscard]] Result<SetDevices> devices_meant(const std::vector<std::string>& given,
                                               DevicesWanted wanted);

// The name of the running set that is meant by the one thing that was given. Empty: a set that does
// not run, or devices. Errors: as resolve_set_name.
[[nodiscard]] Result<std::optional<std::string>> running_set_meant(
    const std::vector<std::string>& given);

}  // namespace dmremap::cli
