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
#include <mutex>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "base/units.hpp"
#include "base/uuid.hpp"
#include "frontend/dm/mapper_device.hpp"
#include "io/holding_node.hpp"

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
// True of "MAJOR:MINOR" if there is no such block device any more.
[[nodiscard]] bool is_gone(const std::string& device);
// Removes both. Errors: leftovers_in_use names the users of the target.
[[nodiscard]] Result<void> clear_left_mappers(const SetMappers& names, const LeftMappers& left);

// NAME-main, for a process that is about to hold it, and that holds main by it from then on.
class MainMapper final : public io::HoldingNode {
 public:
  // Makes it, or takes the one that is there if it is over the same main, live again if a killed
  // run left it suspended. `main`: a block device. Errors: not_supported: main is no disk that the
  // target could serve; device_in_use.
  [[nodiscard]] static Result<std::unique_ptr<MainMapper>> take(const SetMappers& names,
                                                                const std::string& main);
  // Removes it when it is closed, unless the target is there: that goes on without this process,
  // and this fences the next one off. It holds nothing else any more.
  void end();
  ~MainMapper() override { end(); }
  MainMapper(const MainMapper&) = delete;
  MainMapper& operator=(const MainMapper&) = delete;

  [[nodiscard]] std::string node() const override { return node_; }
  // HoldingNode
  [[nodiscard]] Result<void> hold(const std::string& path, SectorCount size) override;
  void let_go() override;

 private:
  MainMapper(SetMappers names, std::string node)
      : names_(std::move(names)), node_(std::move(node)) {}

  const SetMappers names_;
  const std::string node_;
  std::mutex mutex_;  // guards what is below, and the exchange of the table
  bool is_over_ = false;
};

}  // namespace dmremap::dm
