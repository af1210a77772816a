// SPDX-License-Identifier: GPL-2.0-or-later
// All that `--export` of one start asks for: of these exports a stop ends all or none.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "daemon/exports.hpp"
#include "daemon/nbd_socket.hpp"
#include "frontend/dm/dm_frontend.hpp"
#include "frontend/ublk/ublk_frontend.hpp"
#include "frontend/write_gate.hpp"

namespace dmremap::daemon {

struct SetExportOptions {
  std::vector<ExportKind> kinds;  // not empty
  std::string mount_path;         // empty: in the runtime directory
  std::string socket;             // of NBD; empty: in the runtime directory
  bool read_only = false;
  bool main_read_only = false;
  // The process before has handed its device over, and did not die.
  bool handed_over = false;
};

// The path of the FUSE file, whether it is there or not.
[[nodiscard]] std::string mount_path_of(const std::string& name, const std::string& wanted,
                                        const control::RuntimeDir& runtime);
// The link to the loop device; empty if this process makes none.
[[nodiscard]] std::string stable_link(const std::string& name);

// True if this process may make ublk devices and the kernel has what they need. Loads the driver.
[[nodiscard]] bool can_serve_ublk();

// One thread.
class SetExportMaker final : public ExportMaker {
 public:
  // `runtime` outlives this object.
  SetExportMaker(SetExportOptions options, const control::RuntimeDir& runtime)
      : options_(std::move(options)), runtime_(runtime) {}

  Result<void> prepare(const format::Identity& identity) override;
  [[nodiscard]] bool takes_over() const override {
    return left_.to_take_over.has_value() || takes_over_dm();
  }
  [[nodiscard]] bool is_served_without_us() const override { return takes_over_dm(); }
  Result<MainUse> hold_main(const std::string& main) override;
  Result<std::unique_ptr<Exports>> make(set::RunningSet& set) override;

 private:
  using Gate = std::shared_ptr<frontend::WriteGate>;

  [[nodiscard]] bool asks_for(ExportKind kind) const;
  [[nodiscard]] Result<void> choose_ublk(std::uint64_t owner);
  // What there must be for the kernel target, and what a dead run left of it.
  [[nodiscard]] Result<void> prepare_dm(const format::Identity& identity);
  [[nodiscard]] Result<void> check_dm() const;
  // Tells of what the kernel let through while nobody was there, though it should not have.
  [[nodiscard]] std::string let_through(set::RunningSet& set) const;
  // After prepare(): with its engine device, or with another one in the place of that.
  [[nodiscard]] bool takes_over_dm() const { return left_mappers_.target.has_value(); }
  [[nodiscard]] frontend::UblkOptions ublk_options(set::RunningSet& set, const Gate& gate) const;
  [[nodiscard]] std::string takeover_note(const std::string& ublk_node) const;
  Result<std::unique_ptr<frontend::UblkFrontend>> make_ublk(set::RunningSet& set, const Gate& gate);
  Result<std::unique_ptr<dm::DmFrontend>> make_dm(set::RunningSet& set,
                                                  const std::string& engine_node);
  Result<std::unique_ptr<Exports>> make_local(set::RunningSet& set, const Gate& gate);

  SetExportOptions options_;
  const control::RuntimeDir& runtime_;
  std::optional<NbdSocket> socket_;
  std::vector<ExportKind> kinds_;  // what `auto` stands for is chosen
  bool may_do_without_ublk_ = false;
  std::uint64_t owner_ = 0;
  frontend::LeftDevice left_;
  dm::SetMappers mappers_;
  dm::LeftMappers left_mappers_;
  bool had_target_ = false;                      // unused, of a dead run
  std::unique_ptr<dm::TargetRegions> regions_;   // outlive the set
  std::unique_ptr<dm::MainMapper> main_mapper_;  // the same
  std::string main_path_;
};

}  // namespace dmremap::daemon
