// SPDX-License-Identifier: GPL-2.0-or-later
// The two device-mapper devices of a set that is served by the kernel target:
//
//   NAME-main   dm-linear over main. It is made first, and the engine opens it exclusively and does
//               all I/O by it. While it is there, nobody else can hold main; and after a kill the
//               next process can hold *it* only when the last request of the dead one has ended.
//   NAME        the target, for users: main itself where there is nothing to say, else the engine.
//
// They are known by their UUIDs, which only this set's can have.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/units.hpp"
#include "base/uuid.hpp"
#include "frontend/dm/mapper_device.hpp"

namespace dmremap::dm {

struct SetMappers {
  std::string name;
  std::string uuid;
  std::string main_name;
  std::string main_uuid;
};
[[nodiscard]] SetMappers mappers_of(const std::string& set_name, const Uuid& set);

// What runs before left of them.
struct LeftMappers {
  std::optional<MapperStatus> target;
  std::optional<MapperStatus> main;
};
[[nodiscard]] Result<LeftMappers> find_left_mappers(const SetMappers& names);
// The device that the target sends to is there.
[[nodiscard]] bool has_engine_device(const SetMappers& names);
// Removes both. Errors: leftovers_in_use names the users of the target.
[[nodiscard]] Result<void> clear_left_mappers(const SetMappers& names, const LeftMappers& left);

// NAME-main, for a process that is about to hold it.
class MainMapper {
 public:
  // Makes it, or takes the one that is there if it is over the same main. `main`: a block device.
  // Errors: not_supported: main is no disk that the target could serve; device_in_use.
  [[nodiscard]] static Result<std::unique_ptr<MainMapper>> take(const SetMappers& names,
                                                                const std::string& main);
  // Removes it when it is closed, unless the target is there: that goes on without this process,
  // and this fences the next one off.
  ~MainMapper();
  MainMapper(const MainMapper&) = delete;
  MainMapper& operator=(const MainMapper&) = delete;

  [[nodiscard]] const std::string& node() const { return node_; }

 private:
  MainMapper(SetMappers names, std::string node)
      : names_(std::move(names)), node_(std::move(node)) {}

  const SetMappers names_;
  const std::string node_;
};

}  // namespace dmremap::dm
