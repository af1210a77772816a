// SPDX-License-Identifier: GPL-2.0-or-later
// Devices of the kernel's device mapper, by its own interface (linux/dm-ioctl.h). They are called
// by UUID: a name can be changed by anyone, a UUID stays.
//
// All need CAP_SYS_ADMIN.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include <sys/types.h>

#include "base/result.hpp"
#include "base/units.hpp"

namespace dmremap::dm {

struct MapperStatus {
  dev_t device = 0;
  unsigned openers = 0;
  bool has_table = false;  // one that is live

  // In /dev.
  [[nodiscard]] std::string node() const;
};

// A device of one target over all of it.
struct MapperTable {
  std::string target;
  SectorCount size;
  std::string parameters;

  bool operator==(const MapperTable&) const = default;
};

// Who looks at a new device by itself: udev and what it starts.
enum class MapperUse {
  of_the_set,  // nobody: it is not for users
  of_users,
};

// That there is device mapper, and that it knows `target`, whose module it loads. The error says
// what is missing.
[[nodiscard]] Result<void> check_target(const std::string& target);

// Nothing: there is none.
[[nodiscard]] Result<std::optional<MapperStatus>> find_mapper(const std::string& uuid);
// Its live table.
[[nodiscard]] Result<MapperTable> mapper_table(const std::string& uuid);
// With a live table; or it is not made. Errors: device_in_use, if there is one of that name, or
// what the table is about is held by others.
[[nodiscard]] Result<MapperStatus> make_mapper(const std::string& name, const std::string& uuid,
                                               const MapperTable& table, MapperUse use);
// Waits for the requests under way; those that come wait until it is resumed.
[[nodiscard]] Result<void> suspend_mapper(const std::string& uuid);
[[nodiscard]] Result<void> resume_mapper(const std::string& uuid);
// Another table for a device that is in use. Requests that come meanwhile wait, and `in_between` is
// called when those of the former table have ended: the messages that it gets are for that one yet.
// What its target cannot finish goes to the next table, if the target knows how. Waits for devices.
// An error: the former table is there again.
[[nodiscard]] Result<void> exchange_table(const std::string& uuid, const MapperTable& table,
                                          MapperUse use,
                                          const std::function<void()>& in_between = {});
// Forgets a table that was loaded and is not live.
[[nodiscard]] Result<void> forget_loaded_table(const std::string& uuid);
// Errors: device_in_use.
[[nodiscard]] Result<void> remove_mapper(const std::string& uuid);
// Removes it when the last of those that have it open closes it.
[[nodiscard]] Result<void> remove_mapper_when_closed(const std::string& uuid);
// To the target at sector 0 of its live table; returns the answer, empty if there was none. Errors:
// protocol, if the target speaks another protocol or has another table; no_such_device.
[[nodiscard]] Result<std::string> send_to_mapper(const std::string& uuid,
                                                 const std::string& message);

}  // namespace dmremap::dm
