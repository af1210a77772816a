// SPDX-License-Identifier: GPL-2.0-or-later
// Finds the spare for the engine after it was unplugged, as a set does among the block devices of
// its host: by what the metadata says.
#pragma once

#include <memory>
#include <vector>

#include "io/attached_device.hpp"
#include "remap/engine.hpp"
#include "sim/lives/wire.hpp"

namespace dmremap::sim {

class Stage;

class SpareFinder final : public remap::SpareReopener {
 public:
  explicit SpareFinder(Stage& stage) : stage_(stage) {}

  Result<Found> find() override;
  void attach() override;
  void let_go() override { found_ = nullptr; }

  // A life begins: the spare is attached as what it is now.
  void plug_in();
  // What the engine and the store have as the spare, in this life.
  [[nodiscard]] io::BlockDevice& door() { return *doors_.back(); }
  // All handles of the spare are dead from now on.
  void unplug(int error);

  // Until hide_copy, a device is there that holds these bytes, which the spare held once. False:
  // its newest commit is still the set's last one, and nobody could tell it from the spare.
  [[nodiscard]] bool show_copy(const std::vector<std::byte>& bytes);
  void hide_copy();

 private:
  [[nodiscard]] Wire& new_wire();

  Stage& stage_;
  // Never destroyed, as nobody may be left with a dangling one.
  std::vector<std::unique_ptr<Wire>> wires_;
  std::vector<std::unique_ptr<io::AttachedDevice>> doors_;
  // Of this life.
  std::vector<std::unique_ptr<SimDisk>> copies_;
  std::unique_ptr<Wire> copy_wire_;
  std::vector<std::unique_ptr<Wire>> former_copy_wires_;
  Wire* found_ = nullptr;
};

}  // namespace dmremap::sim
