// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/set_exports.hpp"

#include <algorithm>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.hpp"
#include "daemon/local_exports.hpp"
#include "daemon/nbd_export.hpp"
#include "frontend/ublk/disk_shape.hpp"
#include "io/file_geometry.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

namespace {

// The directory of the links to block devices. If /dev cannot be written to, the link is left out.
constexpr const char* kStableLinks = "/dev/dm-remap/";

// A ublk device, a file and a device over it, NBD, or all of them.
class SetExports final : public Exports {
 public:
  struct Parts {
    std::vector<ExportKind> kinds;  // as asked for, without `automatic` for ublk
    // Null: there is none; but not all of these three.
    std::unique_ptr<frontend::UblkFrontend> ublk;
    std::unique_ptr<Exports> local;
    std::unique_ptr<NbdExport> nbd;
    std::string start_note;
  };
  explicit SetExports(Parts parts) : parts_(std::move(parts)) {}

  [[nodiscard]] std::vector<control::ExportReport> reports() const override;
  Result<void> stop(ConnectedClients clients) override;
  [[nodiscard]] std::optional<Error> unsaved() const override;
  [[nodiscard]] std::string trouble() const override;
  // NBD goes on without a device that was cut off, and so does one device without the other.
  [[nodiscard]] bool ended() const override {
    return !parts_.nbd && (!parts_.local || parts_.local->ended()) &&
           (!parts_.ublk || parts_.ublk->ended());
  }
  void look() override;
  [[nodiscard]] std::string start_note() const override { return parts_.start_note; }

 private:
  Result<void> stop_devices(ConnectedClients clients);

  Parts parts_;
};

std::vector<control::ExportReport> SetExports::reports() const {
  const auto local = parts_.local ? parts_.local->reports() : std::vector<control::ExportReport>();
  auto next = local.begin();
  std::vector<control::ExportReport> out;
  for (const ExportKind kind : parts_.kinds) {
    if (kind == ExportKind::nbd) {
      out.push_back(parts_.nbd->report());
    } else if (kind == ExportKind::ublk) {
      const std::string& stable = parts_.ublk->stable();
      out.push_back({"ublk", parts_.ublk->node(),
                     stable.empty() ? std::nullopt : std::optional<std::string>(stable)});
    } else if (next != local.end()) {
      out.push_back(*next++);
    }
  }
  return out;
}

// All or none, as far as their users let it: what is in use is looked for before anything is ended.
Result<void> SetExports::stop_devices(ConnectedClients clients) {
  if (parts_.ublk) {
    if (auto unused = parts_.ublk->check_unused(); !unused) return unused;
  }
  if (parts_.local) {
    if (auto stopped = parts_.local->stop(clients); !stopped) return stopped;
  }
  return parts_.ublk ? parts_.ublk->stop() : Result<void>();
}

Result<void> SetExports::stop(ConnectedClients clients) {
  if (parts_.nbd && clients == ConnectedClients::refuse) {
    if (auto closed = parts_.nbd->close(); !closed) return closed;
  }
  if (auto stopped = stop_devices(clients); !stopped) {
    if (parts_.nbd) parts_.nbd->open_again();
    return stopped;
  }
  if (parts_.nbd) parts_.nbd->end();
  return {};
}

std::optional<Error> SetExports::unsaved() const {
  if (parts_.ublk && parts_.ublk->unsaved()) return parts_.ublk->unsaved();
  return parts_.local ? parts_.local->unsaved() : std::nullopt;
}

std::string SetExports::trouble() const {
  if (parts_.ublk && parts_.ublk->ended()) {
    return fmt::format("{} was removed by somebody else", parts_.ublk->node());
  }
  return parts_.nbd ? parts_.nbd->trouble() : std::string();
}

void SetExports::look() {
  if (parts_.ublk) parts_.ublk->follow_partitions();
  if (parts_.local) parts_.local->look();
}

}  // namespace

std::string mount_path_of(const std::string& name, const std::string& wanted,
                          const control::RuntimeDir& runtime) {
  return wanted.empty() ? runtime.mount_file(name) : wanted;
}

std::string stable_link(const std::string& name) {
  return ::geteuid() == 0 ? kStableLinks + name : std::string();
}

bool can_serve_ublk() {
  return ublk::Control::open().has_value();
}

bool SetExportMaker::asks_for(ExportKind kind) const {
  return std::ranges::find(kinds_, kind) != kinds_.end();
}

// What `auto` stands for, and whether a device of a dead run waits for a process.
Result<void> SetExportMaker::choose_ublk(std::uint64_t owner) {
  owner_ = owner;
  const bool only_if_possible = !asks_for(ExportKind::ublk);
  // A file at a path of the user's choice is FUSE's.
  if (only_if_possible && asks_for(ExportKind::automatic) && options_.mount_path.empty() &&
      can_serve_ublk()) {
    std::ranges::replace(kinds_, ExportKind::automatic, ExportKind::ublk);
    may_do_without_ublk_ = true;
  }
  if (asks_for(ExportKind::ublk) && !may_do_without_ublk_) {
    if (auto control = ublk::Control::open(); !control) {
      Error error = control.error();
      error.hint += error.hint.empty() ? "" : "; ";
      error.hint += "`--export block` and `--export fuse` need no ublk";
      return tl::unexpected(std::move(error));
    }
  }
  auto left = frontend::find_left_device(owner, asks_for(ExportKind::ublk));
  if (!left) return failure_of(left);
  left_ = *left;
  return {};
}

Result<void> SetExportMaker::prepare(const format::Identity& identity) {
  kinds_ = options_.kinds;
  if (auto chosen = choose_ublk(frontend::owner_number(identity.set_uuid)); !chosen) return chosen;
  if (!asks_for(ExportKind::nbd)) return {};
  if (auto there = check_nbd_server(); !there) return there;
  auto socket = NbdSocket::listen_at(options_.socket.empty() ? runtime_.nbd_socket(identity.name)
                                                             : options_.socket);
  if (!socket) return failure_of(socket);
  socket_.emplace(std::move(*socket));
  return {};
}

Result<std::unique_ptr<frontend::UblkFrontend>> SetExportMaker::make_ublk(set::RunningSet& set,
                                                                          const Gate& gate) {
  const bool alone =
      std::ranges::all_of(kinds_, [](ExportKind kind) { return kind == ExportKind::ublk; });
  frontend::UblkOptions options;
  options.shape =
      frontend::disk_shape(set.status().main_path, set.disk().geometry(), options_.read_only);
  options.owner = owner_;
  options.stable_link = stable_link(set.name());
  if (!alone) options.gate = gate;
  auto started = left_.to_take_over
                     ? frontend::UblkFrontend::take_over(set.disk(), options, *left_.to_take_over)
                     : frontend::UblkFrontend::start(set.disk(), options);
  if (started) {
    set.add_own_device((*started)->node());
    return started;
  }
  if (!may_do_without_ublk_ || left_.to_take_over) return started;
  log(Severity::info, "served without ublk: " + started.error().message());
  std::ranges::replace(kinds_, ExportKind::ublk, ExportKind::automatic);
  return std::unique_ptr<frontend::UblkFrontend>();
}

Result<std::unique_ptr<Exports>> SetExportMaker::make_local(set::RunningSet& set,
                                                            const Gate& gate) {
  LocalExportOptions wanted;
  std::ranges::copy_if(kinds_, std::back_inserter(wanted.kinds), [](ExportKind kind) {
    return kind != ExportKind::nbd && kind != ExportKind::ublk;
  });
  if (wanted.kinds.empty()) return std::unique_ptr<Exports>();
  wanted.mount_path = mount_path_of(set.name(), options_.mount_path, runtime_);
  // One device has the link.
  if (!asks_for(ExportKind::ublk)) wanted.stable_link = stable_link(set.name());
  wanted.read_only = options_.read_only;
  wanted.punch_holes = !io::zeroes_by_writing(set.status().main_path);
  wanted.gate = gate;
  return start_local_exports(set.disk(), wanted);
}

Result<std::unique_ptr<Exports>> SetExportMaker::make(set::RunningSet& set) {
  const auto gate = std::make_shared<frontend::WriteGate>();
  SetExports::Parts parts;
  if (socket_) {
    const bool zeroes_fast = io::zeroes_fast(set.status().main_path);
    auto started =
        NbdExport::start(set.disk(), std::move(*socket_), {options_.read_only, zeroes_fast, gate});
    if (!started) return failure_of(started);
    parts.nbd = std::move(*started);
  }
  if (asks_for(ExportKind::ublk)) {
    auto started = make_ublk(set, gate);
    if (!started) return failure_of(started);
    parts.ublk = std::move(*started);
    if (left_.to_take_over) {
      parts.start_note =
          fmt::format("took over {}, whose process had died: its users go on", parts.ublk->node());
      log(Severity::info, parts.start_note);
    }
  }
  auto local = make_local(set, gate);
  if (!local) return failure_of(local);
  parts.local = std::move(*local);
  parts.kinds = kinds_;
  return std::make_unique<SetExports>(std::move(parts));
}

}  // namespace dmremap::daemon
