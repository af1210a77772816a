// SPDX-License-Identifier: GPL-2.0-or-later
// The disk as a block device: ublk, and a link to it at the path that the user chose.
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include "base/checksum.hpp"
#include "base/log.hpp"
#include "front.hpp"
#include "os/process_end.hpp"
#include "os/usage.hpp"
#include "ublk/control.hpp"
#include "ublk/server.hpp"
#include "ublk_disk.hpp"

namespace dmremap::lab {

namespace {

namespace fs = std::filesystem;

constexpr std::chrono::milliseconds kRecoveryPatience{10'000};
constexpr std::size_t kBufferBytes = std::size_t{16} << 20;
constexpr SectorCount kZeroesMax{65536};  // of one request

// By this a lab knows the device of one that served the same path and was killed.
std::uint64_t owner_of(const std::string& path) {
  const std::string trait = "dmremap-lab " + path;
  const Sha256 digest = sha256(std::as_bytes(std::span(trait)));
  std::uint64_t out = 0;
  std::memcpy(&out, digest.data(), sizeof out);
  return out;
}

ublk::Server::Options options_of(const Disk& disk, const std::string& path) {
  ublk::Server::Options out;
  out.disk.size = disk.size();
  out.disk.rotational = true;  // it may get an arm
  out.disk.volatile_cache = true;
  out.disk.fua = true;
  out.disk.discard_granularity_bytes = out.disk.logical_block_bytes;
  out.disk.discard_max = kZeroesMax;
  out.disk.write_zeroes_max = kZeroesMax;
  out.owner = owner_of(path);
  out.queues = 1;  // so that requests have an order of arrival, whichever CPU they come from
  out.buffer_bytes = kBufferBytes;
  return out;
}

bool is_link_to_ublk(const std::string& path) {
  std::error_code ignored;
  const fs::path target = fs::read_symlink(path, ignored);
  const auto number = ublk::block_number(target.filename().string());
  return number && target == ublk::block_path(*number);
}

// Only what a lab has left there may be replaced.
Result<void> check_free(const std::string& path) {
  std::error_code ignored;
  if (is_link_to_ublk(path) || !fs::exists(fs::symlink_status(path, ignored))) return {};
  return fail(
      ErrorCode::file_exists, "there is something already", path,
      "with ublk a link to the block device appears there; name a file that does not exist");
}

Result<void> make_link(const std::string& device, const std::string& path) {
  if (is_link_to_ublk(path)) ::unlink(path.c_str());
  if (::symlink(device.c_str(), path.c_str()) == 0) return {};
  return fail_errno(errno, "make a link to the disk", path);
}

class UblkFront final : public Front {
 public:
  UblkFront(Disk& disk, std::string path) : disk_(disk), path_(std::move(path)), handler_(disk) {}
  ~UblkFront() override { remove_link(); }

  [[nodiscard]] Result<void> start() {
    auto control = ublk::Control::open();
    if (!control) return failure_of(control);
    auto left = control->find(owner_of(path_));
    // The kernel takes a moment to notice that a server has died; recover() waits for that.
    if (left && left->state == ublk::DeviceState::live && !os::is_ending(left->server_pid)) {
      return fail(ErrorCode::device_in_use, "a lab serves it already", path_,
                  "stop that one first");
    }
    // One that its lab had not started yet.
    if (left && left->state == ublk::DeviceState::dead) {
      if (auto gone = control->remove(left->id); !gone) return gone;
      left.reset();
    }
    if (left) {
      const auto was = control->parameters(left->id);
      if (!was) return failure_of(was);
      if (was->size != disk_.size()) {
        return fail(ErrorCode::device_in_use, "the disk of a dead lab waits here, of another size",
                    path_, "serve its image, or take it away with dmremap-lab stop");
      }
    }
    auto server = left ? ublk::Server::recover(handler_, left->id, kBufferBytes, kRecoveryPatience)
                       : ublk::Server::create(handler_, options_of(disk_, path_));
    if (!server) return failure_of(server);
    server_ = std::move(*server);
    auto linked = make_link(server_->path(), path_);
    if (!linked) static_cast<void>(server_->stop_in_use());
    return linked;
  }

  [[nodiscard]] std::string place() const override {
    return fmt::format("{}, which is {}", path_, server_->path());
  }
  [[nodiscard]] int ended() const override { return server_->ended(); }

  [[nodiscard]] Result<void> end_unused() override {
    auto gone = when_unused([this]() -> Result<void> {
      const auto users = os::uses_of(server_->path());
      if (users.empty()) return server_->stop();
      return fail(ErrorCode::device_in_use,
                  fmt::format("the disk is in use: {}", fmt::join(users, ", ")), path_,
                  "unmount and detach what lies on it first");
    });
    if (gone) remove_link();
    return gone;
  }

  void end_in_use() override {
    if (!server_->stop()) {
      log(Severity::warning, fmt::format("{}: taken away while in use", path_));
      // What waits on slow sectors must come to an end, or the kernel waits for it.
      disk_.set_unplugged(true);
      static_cast<void>(server_->stop_in_use());
    }
    remove_link();
  }

 private:
  void remove_link() {
    std::error_code ignored;
    if (server_ && fs::read_symlink(path_, ignored) == server_->path()) ::unlink(path_.c_str());
  }

  Disk& disk_;
  const std::string path_;
  UblkDisk handler_;
  std::unique_ptr<ublk::Server> server_;  // gone before the handler
};

}  // namespace

Result<std::unique_ptr<Front>> serve_ublk(Disk& disk, const std::string& path) {
  if (auto free = check_free(path); !free) return failure_of(free);
  auto front = std::make_unique<UblkFront>(disk, path);
  if (auto started = front->start(); !started) return failure_of(started);
  return front;
}

Result<std::string> clear_dead_ublk(const std::string& path) {
  if (!is_link_to_ublk(path)) return fail(ErrorCode::not_running, "no link to a dead disk", path);
  auto control = ublk::Control::open();
  if (!control) return failure_of(control);
  const auto left = control->find(owner_of(path));
  if (left && left->state == ublk::DeviceState::live) {
    return fail(ErrorCode::not_running, "its lab does not answer", path, "end its process");
  }
  if (left) {
    if (const auto gone = control->remove(left->id); !gone) return failure_of(gone);
  }
  ::unlink(path.c_str());
  return left ? "the disk; requests that waited for it have failed" : "the link";
}

}  // namespace dmremap::lab
