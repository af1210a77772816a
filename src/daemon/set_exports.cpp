// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/set_exports.hpp"

#include <algorithm>
#include <functional>
#include <iterator>
#include <utility>

#include <fmt/format.h>
#include <unistd.h>

#include "base/log.hpp"
#include "daemon/local_exports.hpp"
#include "daemon/nbd_export.hpp"
#include "daemon/replaceable.hpp"
#include "dm-remap-protocol.h"
#include "frontend/ublk/disk_shape.hpp"
#include "io/file_device.hpp"
#include "io/file_geometry.hpp"
#include "os/set_link.hpp"
#include "set/running_set.hpp"

namespace dmremap::daemon {

namespace {

struct MainMapperEnd {
  void operator()(dm::MainMapper* mapper) const { mapper->end(); }
};

// A ublk device, a file and a device over it, NBD, or all of them.
class SetExports final : public Exports {
 public:
  struct Parts {
    std::vector<ExportKind> kinds;  // as asked for, without `automatic` for ublk
    // Of the target. Removed when the set has closed it, and before another process may start the
    // set.
    std::unique_ptr<dm::MainMapper, MainMapperEnd> main_mapper;
    // Of the target: another engine device, should somebody remove the one that there is.
    Replaceable<frontend::UblkFrontend>::Make make_ublk;
    // Null: there is none; but not all of these three.
    std::unique_ptr<Replaceable<frontend::UblkFrontend>> ublk;
    std::unique_ptr<Exports> local;
    std::unique_ptr<NbdExport> nbd;
    // The target, whose engine device ublk is. Ends before that.
    std::unique_ptr<dm::DmFrontend> target;
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
           (!parts_.ublk || ublk()->ended() || (parts_.target && parts_.target->is_removed()));
  }
  void look() override;
  void count_requests(control::IoReport& io) const override {
    if (!parts_.target) return;
    const auto all = parts_.target->user_requests();
    io.reads = all.reads;
    io.writes = all.writes;
  }
  [[nodiscard]] std::string start_note() const override { return parts_.start_note; }
  [[nodiscard]] Result<void> check_hand_over() const override {
    return is_ublk_alone() ? Result<void>() : Exports::check_hand_over();
  }
  Result<void> hand_over(const std::function<bool()>& is_wanted) override {
    return is_ublk_alone() ? ublk()->hand_over(is_wanted) : Exports::check_hand_over();
  }
  Result<void> hold_changes(const std::function<Result<void>()>& record) override {
    return is_ublk_alone() ? ublk()->hold_changes(record) : Exports::check_hand_over();
  }

 private:
  Result<void> stop_devices(ConnectedClients clients);
  void replace_engine_device();
  // Null: there is none. look() may put another one in its place meanwhile.
  [[nodiscard]] std::shared_ptr<frontend::UblkFrontend> ublk() const {
    return parts_.ublk ? parts_.ublk->get() : nullptr;
  }
  // Other users would go on, or be cut off.
  [[nodiscard]] bool is_ublk_alone() const {
    return parts_.ublk && !parts_.local && !parts_.nbd && !parts_.target;
  }

  Parts parts_;
};

std::vector<control::ExportReport> SetExports::reports() const {
  const auto local = parts_.local ? parts_.local->reports() : std::vector<control::ExportReport>();
  auto next = local.begin();
  std::vector<control::ExportReport> out;
  for (const ExportKind kind : parts_.kinds) {
    if (kind == ExportKind::dm) {
      const std::string& stable = parts_.target->stable();
      out.push_back({"dm", parts_.target->node(),
                     stable.empty() ? std::nullopt : std::optional<std::string>(stable)});
    } else if (kind == ExportKind::nbd) {
      out.push_back(parts_.nbd->report());
    } else if (kind == ExportKind::ublk) {
      const auto device = ublk();
      const std::string& stable = device->stable();
      out.push_back({"ublk", device->node(),
                     stable.empty() ? std::nullopt : std::optional<std::string>(stable)});
    } else if (next != local.end()) {
      out.push_back(*next++);
    }
  }
  return out;
}

// All or none, as far as their users let it: what is in use is looked for before anything is ended.
Result<void> SetExports::stop_devices(ConnectedClients clients) {
  // The target uses the ublk device, and nobody else can.
  if (parts_.target) {
    if (auto stopped = parts_.target->stop(); !stopped) return stopped;
  } else if (parts_.ublk) {
    if (auto unused = ublk()->check_unused(); !unused) return unused;
  }
  if (parts_.local) {
    if (auto stopped = parts_.local->stop(clients); !stopped) return stopped;
  }
  return parts_.ublk ? ublk()->stop() : Result<void>();
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
  if (parts_.target && parts_.target->unsaved()) return parts_.target->unsaved();
  if (const auto device = ublk(); device && device->unsaved()) return device->unsaved();
  return parts_.local ? parts_.local->unsaved() : std::nullopt;
}

std::string SetExports::trouble() const {
  if (const auto device = ublk(); device && device->ended()) {
    return fmt::format("{} was removed by somebody else", device->node());
  }
  if (parts_.target && parts_.target->is_removed()) {
    return fmt::format("{} was removed by somebody else", parts_.target->node());
  }
  return parts_.nbd ? parts_.nbd->trouble() : std::string();
}

// Somebody has removed the ublk device under a target that is in use: what was asked of it until
// now has failed, but the rest need not. One whose users are gone ends the set (ended()).
void SetExports::replace_engine_device() {
  const auto former = parts_.ublk->replace(parts_.make_ublk, [](const Error& error) {
    log(Severity::error, "no other engine device: " + error.message());
  });
  if (!former) return;
  log(Severity::warning, fmt::format("{} was removed by somebody else: {} takes its place",
                                     former->node(), ublk()->node()));
  parts_.target->lead_to_engine(ublk()->node());
}

void SetExports::look() {
  if (parts_.target && ublk()->ended() && parts_.target->is_in_use()) replace_engine_device();
  if (parts_.ublk) ublk()->follow_partitions();
  if (parts_.local) parts_.local->look();
}

}  // namespace

std::string mount_path_of(const std::string& name, const std::string& wanted,
                          const control::RuntimeDir& runtime) {
  return wanted.empty() ? runtime.mount_file(name) : wanted;
}

std::string stable_link(const std::string& name) {
  return ::geteuid() == 0 ? os::set_link(name) : std::string();
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
  const bool is_engine_device = asks_for(ExportKind::dm);
  const bool only_if_possible = !asks_for(ExportKind::ublk) && !is_engine_device;
  // A file at a path of the user's choice is FUSE's.
  if (only_if_possible && asks_for(ExportKind::automatic) && options_.mount_path.empty() &&
      can_serve_ublk()) {
    std::ranges::replace(kinds_, ExportKind::automatic, ExportKind::ublk);
    may_do_without_ublk_ = true;
  }
  if ((asks_for(ExportKind::ublk) || is_engine_device) && !may_do_without_ublk_) {
    if (auto control = ublk::Control::open(); !control) {
      Error error = control.error();
      error.hint += error.hint.empty() ? "" : "; ";
      error.hint += "`--export block` and `--export fuse` need no ublk";
      return tl::unexpected(std::move(error));
    }
  }
  // A device that the target left is taken over with it, or by nobody.
  const bool is_wanted = is_engine_device ? left_mappers_.target.has_value()
                                          : asks_for(ExportKind::ublk) && !had_target_;
  auto left = frontend::find_left_device(owner, is_wanted);
  if (!left) return failure_of(left);
  left_ = *left;
  if (left_mappers_.target && !left_.to_take_over && left_mappers_.target->openers == 0) {
    // Never finished, or its engine device was removed.
    if (auto cleared = dm::clear_left_mappers(mappers_, left_mappers_); !cleared) return cleared;
    left_mappers_ = {};
  }
  return {};
}

Result<void> SetExportMaker::prepare(const format::Identity& identity) {
  kinds_ = options_.kinds;
  if (auto fine = prepare_dm(identity); !fine) return fine;
  if (auto chosen = choose_ublk(frontend::owner_number(identity.set_uuid)); !chosen) return chosen;
  if (!asks_for(ExportKind::nbd)) return {};
  if (auto there = check_nbd_server(); !there) return there;
  auto socket = NbdSocket::listen_at(options_.socket.empty() ? runtime_.nbd_socket(identity.name)
                                                             : options_.socket);
  if (!socket) return failure_of(socket);
  socket_.emplace(std::move(*socket));
  return {};
}

Result<void> SetExportMaker::check_dm() const {
  constexpr const char* kHint = "use `--export ublk`";
  if (kinds_.size() != 1) {
    return fail(ErrorCode::usage, "`--export dm` is the only export of a set", "",
                "leave the others out: what they write would not be seen by the kernel");
  }
  if (options_.read_only) {
    return fail(ErrorCode::not_supported, "`--export dm` does not go with --read-only", "", kHint);
  }
  if (options_.main_read_only) {
    return fail(ErrorCode::not_supported,
                "`--export dm` does not go with --main-read-only: all writes go to the spare", "",
                kHint);
  }
  if (::geteuid() != 0) {
    return fail(ErrorCode::permission,
                "`--export dm` takes the right to administer the system "
                "(CAP_SYS_ADMIN)",
                "", "try it as root");
  }
  if (auto there = dm::check_target(DM_REMAP_TARGET); !there) {
    Error error = there.error();
    error.hint += error.hint.empty() ? kHint : fmt::format("; or {}", kHint);
    return tl::unexpected(std::move(error));
  }
  return {};
}

Result<void> SetExportMaker::prepare_dm(const format::Identity& identity) {
  mappers_ = dm::mappers_of(identity.name, identity.set_uuid);
  if (::geteuid() == 0) {
    auto left = dm::find_left_mappers(mappers_);
    if (!left) return failure_of(left);
    left_mappers_ = *left;
  }
  // Users who wait are what `auto` is for, as a unit that starts a killed set again has it.
  const bool is_waited_for = left_mappers_.target && left_mappers_.target->openers > 0;
  if (is_waited_for && kinds_ == std::vector{ExportKind::automatic}) kinds_ = {ExportKind::dm};
  if (asks_for(ExportKind::dm)) {
    if (auto fine = check_dm(); !fine) return fine;
  }
  // Removing the remains of an engine device would wait for the target that holds them. A target
  // that is in use gets another one.
  const bool goes_on = asks_for(ExportKind::dm) && left_mappers_.target &&
                       left_mappers_.target->has_table &&
                       (dm::has_engine_device(mappers_) || left_mappers_.target->openers > 0);
  if (goes_on || (asks_for(ExportKind::dm) && !left_mappers_.target)) return {};
  if (auto cleared = dm::clear_left_mappers(mappers_, left_mappers_); !cleared) return cleared;
  // Its users had the one device: nobody waits for the other.
  had_target_ = left_mappers_.target.has_value();
  left_mappers_ = {};
  return {};
}

Result<ExportMaker::MainUse> SetExportMaker::hold_main(const std::string& main) {
  if (!asks_for(ExportKind::dm)) return MainUse{};
  auto mapper = dm::MainMapper::take(mappers_, main);
  if (!mapper) return failure_of(mapper);
  main_mapper_ = std::move(*mapper);
  main_path_ = main;
  const auto device = io::FileDevice::open(main, {io::Access::read_only, io::Holding::shared});
  if (!device) return failure_of(device);
  regions_ = std::make_unique<dm::TargetRegions>((*device)->geometry().size);
  if (takes_over_dm()) {
    const std::string engine_node =
        left_.to_take_over ? ublk::block_path(left_.to_take_over->id) : std::string();
    if (auto attached = dm::attach_left_target(*regions_, {mappers_, main, engine_node, {}});
        !attached) {
      return failure_of(attached);
    }
  }
  return MainUse{main_mapper_.get(), regions_.get()};
}

Result<std::unique_ptr<dm::DmFrontend>> SetExportMaker::make_dm(set::RunningSet& set,
                                                                const std::string& engine_node) {
  const dm::DmOptions options{mappers_, main_path_, engine_node, stable_link(set.name())};
  auto made = takes_over_dm()
                  ? dm::DmFrontend::take_over(set.disk(), set.admin(), *regions_, options)
                  : dm::DmFrontend::start(set.disk(), set.admin(), *regions_, options);
  if (made) set.add_own_device((*made)->node());
  return made;
}

std::string SetExportMaker::let_through(set::RunningSet& set) const {
  const auto ranges = dm::withhold_known(*regions_, set.admin().extents());
  if (ranges.empty()) return {};
  std::string text = fmt::format(
      "the kernel target sent users to main although sectors there are elsewhere, the first at {}: "
      "what they wrote there is not what is read now",
      ranges.front().first.value);
  log(Severity::error, text);
  return text;
}

frontend::UblkOptions SetExportMaker::ublk_options(set::RunningSet& set, const Gate& gate) const {
  const bool alone = std::ranges::all_of(
      kinds_, [](ExportKind kind) { return kind == ExportKind::ublk || kind == ExportKind::dm; });
  frontend::UblkOptions options;
  options.shape =
      frontend::disk_shape(set.status().main_path, set.disk().geometry(), options_.read_only);
  options.owner = owner_;
  if (!asks_for(ExportKind::dm)) options.stable_link = stable_link(set.name());
  if (!alone) options.gate = gate;
  return options;
}

Result<std::unique_ptr<frontend::UblkFrontend>> SetExportMaker::make_ublk(set::RunningSet& set,
                                                                          const Gate& gate) {
  const frontend::UblkOptions options = ublk_options(set, gate);
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

std::string SetExportMaker::takeover_note(const std::string& ublk_node) const {
  if (left_.to_take_over) {
    return fmt::format(
        "took over {}{}: its users go on", ublk_node,
        options_.handed_over ? " from the process before" : ", whose process had died");
  }
  return fmt::format(
      "took over {}, whose engine device was removed: its users go on by {}, but for requests that "
      "have failed",
      left_mappers_.target->node(), ublk_node);
}

Result<std::unique_ptr<Exports>> SetExportMaker::make_local(set::RunningSet& set,
                                                            const Gate& gate) {
  LocalExportOptions wanted;
  std::ranges::copy_if(kinds_, std::back_inserter(wanted.kinds), [](ExportKind kind) {
    return kind != ExportKind::nbd && kind != ExportKind::ublk && kind != ExportKind::dm;
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
  if (asks_for(ExportKind::ublk) || asks_for(ExportKind::dm)) {
    std::string alarm = takes_over_dm() ? let_through(set) : std::string();
    auto started = make_ublk(set, gate);
    if (!started) return failure_of(started);
    const std::string node = *started ? (*started)->node() : std::string();
    if (*started) {
      parts.ublk = std::make_unique<Replaceable<frontend::UblkFrontend>>(std::move(*started));
    }
    if (takes_over()) {
      parts.start_note = takeover_note(node);
      log(Severity::info, parts.start_note);
      if (!alarm.empty()) parts.start_note += "; " + alarm;
    }
  }
  if (asks_for(ExportKind::dm)) {
    auto made = make_dm(set, parts.ublk->get()->node());
    if (!made) return failure_of(made);
    parts.target = std::move(*made);
    parts.main_mapper.reset(main_mapper_.get());
    parts.make_ublk = [&set, options = ublk_options(set, gate)] {
      auto started = frontend::UblkFrontend::start(set.disk(), options);
      if (started) set.add_own_device((*started)->node());
      return started;
    };
  }
  auto local = make_local(set, gate);
  if (!local) return failure_of(local);
  parts.local = std::move(*local);
  parts.kinds = kinds_;
  return std::make_unique<SetExports>(std::move(parts));
}

}  // namespace dmremap::daemon
