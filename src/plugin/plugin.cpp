// SPDX-License-Identifier: GPL-2.0-or-later
#include "plugin/plugin.hpp"

#include <array>
#include <chrono>
#include <string_view>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <unistd.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "base/log.hpp"
#include "discovery/hints.hpp"
#include "io/file_geometry.hpp"
#include "os/path.hpp"
#include "plugin/signal_block.hpp"

namespace dmremap::plugin {

namespace {

// For clients that have just closed their connection.
constexpr std::chrono::milliseconds kLeaveTimeout{1000};

Result<bool> parse_flag(const std::string& key, const std::string& value) {
  for (const std::string_view yes : {"true", "yes", "on", "1"}) {
    if (value == yes) return true;
  }
  for (const std::string_view no : {"false", "no", "off", "0"}) {
    if (value == no) return false;
  }
  return fail(ErrorCode::usage, "is neither true nor false", key + "=" + value,
              "give " + key + "=true");
}

}  // namespace

// The exports of a set that nbdkit serves. nbdkit owns the sockets.
class Plugin::NbdExports final : public daemon::Exports {
 public:
  NbdExports(Plugin& plugin, std::string name) : plugin_(plugin), name_(std::move(name)) {}

  [[nodiscard]] std::vector<control::ExportReport> reports() const override {
    std::vector<control::ExportReport> out;
    for (const auto& socket : plugin_.sockets_) out.push_back({"nbd", socket.uri, socket.uri});
    if (out.empty()) out.push_back({"nbd", "stdin", std::nullopt});
    return out;
  }
  Result<void> stop(daemon::ConnectedClients /*clients*/) override {
    if (plugin_.server_ends_ || plugin_.clients_.close(kLeaveTimeout)) return {};
    return fail(
        ErrorCode::device_in_use,
        fmt::format("is in use: connected to by {}", fmt::join(plugin_.clients_.names(), ", ")),
        plugin_.sockets_.empty() ? name_ : plugin_.sockets_.front().uri, "end that use first");
  }
  [[nodiscard]] bool ended() const override { return false; }

 private:
  Plugin& plugin_;
  std::string name_;
};

class Plugin::NbdExportMaker final : public daemon::ExportMaker {
 public:
  explicit NbdExportMaker(Plugin& plugin) : plugin_(plugin) {}
  Result<std::unique_ptr<daemon::Exports>> make(set::RunningSet& set) override {
    plugin_.disk_ =
        std::make_unique<nbd::NbdDisk>(set.disk(), io::zeroes_fast(set.status().main_path));
    return std::make_unique<NbdExports>(plugin_, set.name());
  }

 private:
  Plugin& plugin_;
};

// No process waits for a report. The log goes to the runtime directory only in the background.
class Plugin::LogObserver final : public daemon::StartObserver {
 public:
  explicit LogObserver(const Plugin& plugin) : plugin_(plugin) {}
  void named(const std::string& name) override {
    if (::getpid() != plugin_.configured_by_) daemon::log_to_runtime_dir(*plugin_.runtime_, name);
  }
  bool serving(const control::StartReport& /*what*/) override { return true; }

 private:
  const Plugin& plugin_;
};

Result<void> Plugin::add_device(const std::string& value) {
  if (value.find('/') != std::string::npos) {
    options_.devices.push_back(os::absolute(value));
    return {};
  }
  if (!options_.name.empty()) {
    return fail(ErrorCode::usage, "is neither the only name nor a device", value,
                "a device has a '/' in it: ./" + value);
  }
  options_.name = value;
  return discovery::check_set_name(value);
}

Result<void> Plugin::configure(const std::string& key, const std::string& value) {
  const std::array<std::pair<std::string_view, bool*>, 4> flags{{
      {"read-only", &options_.open.read_only},
      {"main-read-only", &options_.open.main_read_only},
      {"stale-ok", &options_.open.stale_ok},
      {"accept-main-changed", &options_.open.accept_main_changed},
  }};
  for (const auto& [name, flag] : flags) {
    if (key != name) continue;
    const auto set = parse_flag(key, value);
    if (!set) return failure_of(set);
    *flag = *set;
    return {};
  }
  if (key == "device") return add_device(value);
  if (key == "accept-main") {
    options_.open.accept_main = os::absolute(value);
    return {};
  }
  return fail(ErrorCode::usage, "no such option", key, "see `nbdkit dmremap --help`");
}

Result<void> Plugin::configured() {
  configured_by_ = ::getpid();
  auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  runtime_ = std::move(*runtime);
  if (options_.name.empty() == options_.devices.empty()) {
    return fail(ErrorCode::usage,
                options_.name.empty() ? "no set is named" : "a name and devices are given", {},
                "give the set's name, or its devices with a '/' in each");
  }
  if (options_.open.stale_ok && !options_.open.read_only) {
    return fail(ErrorCode::usage, "stale-ok needs read-only", {},
                "a doubtful set is never written to: read-only=true");
  }
  return runtime_->make();
}

Result<void> Plugin::check() {
  return daemon::check_start(options_, *runtime_);
}

Result<void> Plugin::bring_up() {
  const SignalBlock blocked;
  sockets_ = nbd::listening_sockets();
  LogObserver observer(*this);
  NbdExportMaker exports(*this);
  auto started = daemon::SetDaemon::start(options_, *runtime_, observer, exports);
  if (!started) return failure_of(started);
  daemon_ = std::move(*started);
  // A stop through the control socket ends nbdkit too.
  ending_ = std::thread([stopped = daemon_->stopped_fd()] {
    pollfd wait{stopped, POLLIN, 0};
    while (::poll(&wait, 1, -1) < 0) {
    }
    nbdkit_shutdown();
  });
  return {};
}

void Plugin::bring_down() {
  if (!daemon_) return;
  // nbdkit has cut off its clients by now, so they no longer keep the set from stopping.
  server_ends_ = true;
  if (auto stopped = daemon_->stop(); !stopped) log(Severity::error, stopped.error().message());
  ending_.join();
  daemon_.reset();
  flush_log();
}

}  // namespace dmremap::plugin
