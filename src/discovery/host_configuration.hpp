// SPDX-License-Identifier: GPL-2.0-or-later
// What an administrator sets for all sets of a host, in /etc/dm-remap/dmremap.conf
// (dmremap.conf(5)): where images of sets lie, which devices are never searched, and defaults.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace dmremap::discovery {

struct HostConfiguration {
  std::vector<std::string> images;    // patterns of glob(7): files that are searched for sets
  std::vector<std::string> excluded;  // likewise: devices and files that are not
  std::vector<std::string> exports;   // of `start` and `assemble`, in order; empty: auto
  std::optional<std::uint32_t> boot_wait_s;  // of `create`
  // Lines that say nothing that can be understood; `where` is FILE:LINE. They are left out.
  std::vector<Error> problems;
};

// The seconds for which a boot waits for a device of a set, as `--wait`, dmremap.conf and claims
// write them. Empty if the text is no whole number within format::kBootWaitS.
[[nodiscard]] std::optional<std::uint32_t> boot_wait_of(std::string_view text);

// Accepts any bytes. `path` is for messages.
[[nodiscard]] HostConfiguration parse_host_configuration(std::string_view text,
                                                         const std::string& path);

// That of this process' environment: dmremap.conf in $DMREMAP_CONFIG_DIR, else in
// $DMREMAP_RUNTIME_DIR, else in /etc/dm-remap. Read at the first call; without the file, empty.
// Thread-safe.
[[nodiscard]] const HostConfiguration& host_configuration();

// The devices and files that are searched for sets when nobody names any: block_devices() without
// those that are excluded, and the images that there are. Sorted. Thread-safe.
[[nodiscard]] std::vector<std::string> searched_places(
    const HostConfiguration& configuration = host_configuration());

}  // namespace dmremap::discovery
