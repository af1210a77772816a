// SPDX-License-Identifier: GPL-2.0-or-later
#include "transfer/copy_target.hpp"

#include <algorithm>
#include <cerrno>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/checksum.hpp"
#include "base/file_descriptor.hpp"
#include "discovery/hardware.hpp"
#include "discovery/signatures.hpp"
#include "io/undo.hpp"
#include "metadata/survey.hpp"
#include "os/usage.hpp"

namespace dmremap::transfer {

namespace {

using Device = std::unique_ptr<io::FileDevice>;

// RAID members and the second partition table lie in the last 128 KiB.
constexpr std::uint64_t kSignatureBytes = kMiB;

Result<void> check_apart(const TargetOptions& options) {
  const auto target = os::storage_of(options.path);
  for (const std::string& other : options.apart_from) {
    const auto storage = os::storage_of(other);
    if (!storage) continue;
    const auto has = [](const std::vector<os::Storage>& list, const os::Storage& one) {
      return std::ranges::find(list, one) != list.end();
    };
    // A target that does not exist yet is judged by the directory in which it will be made.
    const bool joined =
        target ? has(os::beneath(*target), *storage) || has(os::beneath(*storage), *target)
               : os::is_stored_on(options.path, *storage);
    if (!joined) continue;
    return fail(ErrorCode::same_device,
                fmt::format("is {}, which belongs to the set, or lies on it or beneath it", other),
                options.path, "give another disk");
  }
  return {};
}

Result<void> make_file(const std::string& path) {
  if (path.starts_with("/dev/")) {
    return fail(ErrorCode::no_such_device, "there is no such device", path,
                "check the name and that the device is connected");
  }
  const FileDescriptor fd(::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd.valid()) return fail_errno(errno, "create the target", path);
  return {};
}

Result<Device> open_held(const std::string& path) {
  return io::FileDevice::open(path, {io::Access::read_write, io::Holding::exclusive});
}

// Gives a file the size of the set, and checks that the target can hold the set.
Result<Device> with_size(Device target, const TargetOptions& options) {
  const SectorCount has = target->geometry().size;
  if (!target->is_block_device() && has != options.size &&
      (has.value == 0 || options.resumed || options.force)) {
    if (::ftruncate(target->fd(), static_cast<off_t>(options.size.bytes())) != 0) {
      return fail_errno(errno, "give it the size of the set", options.path);
    }
    // Opened again, because a device keeps the size that it had when it was opened.
    target.reset();
    auto again = open_held(options.path);
    if (!again) return again;
    target = std::move(*again);
  }
  if (target->geometry().size < options.size) {
    return fail(ErrorCode::device_too_small,
                fmt::format("has {} sectors, and the set has {}", target->geometry().size.value,
                            options.size.value),
                options.path, "give a disk at least as large");
  }
  if (target->geometry().unit() > options.unit) {
    return fail(ErrorCode::block_size,
                fmt::format("has logical blocks of {} bytes, and the set has {}",
                            target->geometry().logical_block_bytes, options.unit.bytes()),
                options.path, "file systems of the set would not fit it: give another target");
  }
  return target;
}

Result<void> check_contents(io::FileDevice& target, const TargetOptions& options) {
  const auto found = metadata::survey(target);
  if (found && (found->has_set() || found->newer_format)) {
    return fail(ErrorCode::spare_has_set, "holds a dm-remap set", options.path,
                "give another target, or end that set with `dmremap release`");
  }
  if (options.force) return {};
  const auto signatures = discovery::signatures_on(target);
  if (!signatures) {
    Error error = signatures.error();
    error.code = ErrorCode::spare_unreadable;
    return tl::unexpected(std::move(error));
  }
  if (signatures->empty()) return {};
  return fail(ErrorCode::spare_has_data,
              fmt::format("holds data: {}", fmt::join(*signatures, ", ")), options.path,
              "give another target, or overwrite it with --force");
}

// Erases the end of the target, so that old data there is not taken for a part of the copy.
Result<void> erase_end(io::FileDevice& target, SectorCount size) {
  const std::uint64_t end = target.geometry().size.value;
  const std::uint64_t part = kSignatureBytes / kSectorBytes;
  const std::uint64_t unit = target.geometry().unit().value;
  const std::uint64_t first =
      std::max(align_up(size.value, unit), align_down(end > part ? end - part : 0, unit));
  if (first >= end) return {};
  if (const auto done = io::overwrite_with_zeros(target, {{first}, {end - first}}); !done.ok()) {
    return fail_errno(done.error, "erase what its end held", target.path());
  }
  return {};
}

}  // namespace

Result<Device> open_target(const TargetOptions& options) {
  if (auto apart = check_apart(options); !apart) return failure_of(apart);
  struct stat st {};
  const bool there = ::stat(options.path.c_str(), &st) == 0;
  if (there && S_ISREG(st.st_mode) && st.st_size > 0 && !options.resumed && !options.force) {
    return fail(ErrorCode::file_exists, "is a file that is there already", options.path,
                "give another target, or overwrite it with --force");
  }
  if (!there) {
    if (auto made = make_file(options.path); !made) return failure_of(made);
  }
  auto target = open_held(options.path);
  if (target) target = with_size(std::move(*target), options);
  if (!target) {
    if (!there) ::unlink(options.path.c_str());
    return target;
  }
  // A new file is empty, and a resumed target holds our own copy: neither can hold anything of
  // value.
  if (options.resumed || !there) return target;
  if (auto fine = check_contents(**target, options); !fine) return failure_of(fine);
  if (options.force) {
    if (auto erased = erase_end(**target, options.size); !erased) {
      return failure_of(erased);
    }
  }
  return target;
}

bool is_target(const std::string& path, const io::FileDevice& target) {
  struct stat held {};
  struct stat named {};
  if (::fstat(target.fd(), &held) != 0 || ::stat(path.c_str(), &named) != 0) return false;
  if (S_ISBLK(held.st_mode)) return S_ISBLK(named.st_mode) && named.st_rdev == held.st_rdev;
  const bool same = named.st_dev == held.st_dev && named.st_ino == held.st_ino;
  return same && named.st_size == static_cast<off_t>(target.geometry().size.bytes());
}

std::string target_identity(const std::string& path) {
  const auto storage = os::storage_of(path);
  if (!storage) return std::string(16, '0');
  std::string facts = fmt::format("{} {}", storage->device, storage->inode);
  if (storage->is_block_device()) {
    const auto hardware = discovery::hardware_of(storage->device);
    facts += fmt::format(" {} {} {}", hardware.wwn, hardware.serial, hardware.part_uuid);
  }
  const Sha256 sum = sha256(std::as_bytes(std::span(facts)));
  std::string out;
  for (std::size_t i = 0; i < 8; ++i) out += fmt::format("{:02x}", static_cast<unsigned>(sum[i]));
  return out;
}

}  // namespace dmremap::transfer
