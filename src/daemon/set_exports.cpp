// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/set_exports.hpp"

#include <algorithm>
#include <utility>

#include <unistd.h>

#include "daemon/local_exports.hpp"
#include "daemon/nbd_export.hpp"
#include "io/file_geometry.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

namespace {

// The directory of the links to loop devices. If /dev cannot be written to, the link is left out.
constexpr const char* kStableLinks = "/dev/dm-remap/";

// A file and a device, NBD, or all of them.
class SetExports final : public Exports {
 public:
  SetExports(std::vector<ExportKind> kinds, std::unique_ptr<Exports> local,
             std::unique_ptr<NbdExport> nbd)
      : kinds_(std::move(kinds)), local_(std::move(local)), nbd_(std::move(nbd)) {}

  [[nodiscard]] std::vector<control::ExportReport> reports() const override;
  Result<void> stop(ConnectedClients clients) override;
  [[nodiscard]] std::optional<Error> unsaved() const override {
    return local_ ? local_->unsaved() : std::nullopt;
  }
  [[nodiscard]] std::string trouble() const override {
    return nbd_ ? nbd_->trouble() : std::string();
  }
  // NBD goes on without a device that was cut off.
  [[nodiscard]] bool ended() const override { return !nbd_ && local_->ended(); }

 private:
  std::vector<ExportKind> kinds_;   // as asked for
  std::unique_ptr<Exports> local_;  // null: none; likewise the next, but not both
  std::unique_ptr<NbdExport> nbd_;
};

std::vector<control::ExportReport> SetExports::reports() const {
  const auto local = local_ ? local_->reports() : std::vector<control::ExportReport>();
  auto next = local.begin();
  std::vector<control::ExportReport> out;
  for (const ExportKind kind : kinds_) {
    out.push_back(kind == ExportKind::nbd ? nbd_->report() : *next++);
  }
  return out;
}

Result<void> SetExports::stop(ConnectedClients clients) {
  if (nbd_ && clients == ConnectedClients::refuse) {
    if (auto closed = nbd_->close(); !closed) return closed;
  }
  if (local_) {
    if (auto stopped = local_->stop(clients); !stopped) {
      if (nbd_) nbd_->open_again();
      return stopped;
    }
  }
  if (nbd_) nbd_->end();
  return {};
}

}  // namespace

std::string mount_path_of(const std::string& name, const std::string& wanted,
                          const control::RuntimeDir& runtime) {
  return wanted.empty() ? runtime.mount_file(name) : wanted;
}

std::string stable_link(const std::string& name) {
  return ::geteuid() == 0 ? kStableLinks + name : std::string();
}

Result<void> SetExportMaker::prepare(const std::string& name) {
  if (std::ranges::find(options_.kinds, ExportKind::nbd) == options_.kinds.end()) return {};
  if (auto there = check_nbd_server(); !there) return there;
  auto socket =
      NbdSocket::listen_at(options_.socket.empty() ? runtime_.nbd_socket(name) : options_.socket);
  if (!socket) return failure_of(socket);
  socket_.emplace(std::move(*socket));
  return {};
}

Result<std::unique_ptr<Exports>> SetExportMaker::make(set::RunningSet& set) {
  const std::string main_path = set.status().main_path;
  const auto gate = std::make_shared<frontend::WriteGate>();
  std::unique_ptr<Exports> local;
  std::unique_ptr<NbdExport> nbd;
  if (socket_) {
    auto started = NbdExport::start(set.disk(), std::move(*socket_),
                                    {options_.read_only, io::zeroes_fast(main_path), gate});
    if (!started) return failure_of(started);
    nbd = std::move(*started);
  }
  LocalExportOptions wanted;
  std::ranges::remove_copy(options_.kinds, std::back_inserter(wanted.kinds), ExportKind::nbd);
  if (!wanted.kinds.empty()) {
    wanted.mount_path = mount_path_of(set.name(), options_.mount_path, runtime_);
    wanted.stable_link = stable_link(set.name());
    wanted.read_only = options_.read_only;
    wanted.punch_holes = !io::zeroes_by_writing(main_path);
    wanted.gate = gate;
    auto started = start_local_exports(set.disk(), wanted);
    if (!started) return failure_of(started);
    local = std::move(*started);
  }
  return std::make_unique<SetExports>(options_.kinds, std::move(local), std::move(nbd));
}

}  // namespace dmremap::daemon
