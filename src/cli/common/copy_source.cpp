// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/copy_source.hpp"

#include <cerrno>
#include <chrono>
#include <string_view>
#include <thread>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "os/usage.hpp"

namespace dmremap::cli {

namespace {

constexpr std::chrono::milliseconds kPassingUseLimit{1000};
constexpr std::string_view kAttached = "attached to ";  // how os::uses_of begins such a use

// The place at which an export of this kind is served; empty if there is none.
std::string where_of(const control::SetReport& status, std::string_view kind) {
  for (const control::ExportReport& one : status.exports) {
    if (one.kind == kind) return one.where;
  }
  return {};
}

tl::unexpected<Error> in_use(const std::string& where, const std::vector<std::string>& uses) {
  return fail(
      ErrorCode::device_in_use,
      uses.empty() ? std::string("is in use") : fmt::format("is in use: {}", fmt::join(uses, ", ")),
      where, "unmount it, or start the set with --read-only: a copy of what changes is none");
}

// The uses of the served device by programs other than this process, without the set's own loop
// device.
std::vector<std::string> uses_beside_own(const std::string& where) {
  std::vector<std::string> uses = os::uses_of(where);
  const auto node = os::storage_of(where);
  if (!node || !node->is_block_device()) return uses;
  const auto backing = os::loop_backing(node->device);
  if (!backing) return uses;
  for (std::string& use : os::uses_of(backing->path)) {
    const bool own =
        use.starts_with(kAttached) && os::storage_of(use.substr(kAttached.size())) == node;
    if (!own) uses.push_back(std::move(use));
  }
  return uses;
}

// The uses that last. udev opens a device for a moment after each program that wrote to it.
std::vector<std::string> lasting_uses(const std::string& where) {
  const auto end = std::chrono::steady_clock::now() + kPassingUseLimit;
  auto uses = uses_beside_own(where);
  while (!uses.empty() && std::chrono::steady_clock::now() < end) {
    std::this_thread::sleep_for(kPassingUseLimit / 20);
    uses = uses_beside_own(where);
  }
  return uses;
}

}  // namespace

Result<CopySource> CopySource::open(const control::SetReport& status) {
  const bool read_only = status.has_condition("read-only");
  std::string block;
  for (const char* kind : {"dm", "ublk", "block"}) {
    if (block.empty()) block = where_of(status, kind);
  }
  const std::string where = block.empty() ? where_of(status, "fuse") : block;
  if (where.empty()) {
    return fail(ErrorCode::not_supported, "is served neither as a block device nor as a file",
                status.name, "start it with --export block or --export fuse");
  }
  CopySource out;
  if (!read_only && !block.empty()) {
    out.hold_ = FileDescriptor(::open(where.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
    if (!out.hold_.valid() && errno == EBUSY) return in_use(where, os::uses_of(where));
    if (!out.hold_.valid()) return fail_errno(errno, "open", where, "try it as root");
  }
  if (!read_only) {
    if (const auto uses = lasting_uses(where); !uses.empty()) return in_use(where, uses);
  }
  if (out.hold_.valid()) {
    // Data that was written before may still be in the cache. It must not be counted as written
    // during the copy.
    if (::fsync(out.hold_.get()) != 0) {
      return fail(ErrorCode::io,
                  "what was written last could not be saved (" + errno_text(errno) +
                      "), so a copy would lack it",
                  status.name, "`dmremap status` and `events` say why; then copy it again");
    }
  }
  auto device = io::FileDevice::open(where, {io::Access::read_only, io::Holding::shared});
  if (!device) return failure_of(device);
  out.device_ = std::move(*device);
  return out;
}

std::vector<std::string> parts_of(const control::SetReport& status) {
  std::vector<std::string> out{status.main.path};
  for (const control::SpareReport& spare : status.spares) out.push_back(spare.path);
  for (const control::ExportReport& one : status.exports) out.push_back(one.where);
  return out;
}

}  // namespace dmremap::cli
