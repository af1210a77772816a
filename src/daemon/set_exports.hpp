// SPDX-License-Identifier: GPL-2.0-or-later
// All that `--export` of one start asks for: of these exports a stop ends all or none.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "control/runtime_dir.hpp"
#include "daemon/exports.hpp"
#include "daemon/nbd_socket.hpp"

namespace dmremap::daemon {

struct SetExportOptions {
  std::vector<ExportKind> kinds;  // not empty
  std::string mount_path;         // empty: in the runtime directory
  std::string socket;             // of NBD; empty: in the runtime directory
  bool read_only = false;
};

// The path of the FUSE file, whether it is there or not.
[[nodiscard]] std::string mount_path_of(const std::string& name, const std::string& wanted,
                                        const control::RuntimeDir& runtime);
// The link to the loop device; empty if this process makes none.
[[nodiscard]] std::string stable_link(const std::string& name);

// One thread.
class SetExportMaker final : public ExportMaker {
 public:
  // `runtime` outlives this object.
  SetExportMaker(SetExportOptions options, const control::RuntimeDir& runtime)
      : options_(std::move(options)), runtime_(runtime) {}

  Result<void> prepare(const std::string& name) override;
  Result<std::unique_ptr<Exports>> make(set::RunningSet& set) override;

 private:
  SetExportOptions options_;
  const control::RuntimeDir& runtime_;
  std::optional<NbdSocket> socket_;
};

}  // namespace dmremap::daemon
