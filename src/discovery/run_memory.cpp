// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/run_memory.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/checksum.hpp"
#include "base/endian.hpp"
#include "base/file_descriptor.hpp"
#include "remap/engine_memory.hpp"

namespace dmremap::discovery {

namespace {

constexpr std::array<char, 8> kMagic{'D', 'M', 'R', 'M', 'R', 'U', 'N', '\0'};
constexpr std::uint32_t kVersion = 1;
constexpr std::size_t kHeaderBytes = 4096;
constexpr std::size_t kVersionAt = 8;
constexpr std::size_t kCrcAt = 12;
constexpr std::size_t kSetAt = 16;
constexpr std::size_t kBootAt = 32;
constexpr std::size_t kTermAt = 48;
constexpr std::size_t kSizeAt = 56;

using Header = std::array<std::byte, kHeaderBytes>;

void put(Header& header, std::size_t at, std::span<const std::byte> bytes) {
  std::ranges::copy(bytes, header.begin() + static_cast<std::ptrdiff_t>(at));
}

Header header_of(const RunName& name) {
  Header out{};
  put(out, 0, std::as_bytes(std::span(kMagic)));
  store_le<std::uint32_t>(out, kVersionAt, kVersion);
  put(out, kSetAt, name.set_uuid.bytes);
  put(out, kBootAt, name.boot.bytes);
  store_le<std::uint64_t>(out, kTermAt, name.term);
  store_le<std::uint64_t>(out, kSizeAt, name.main_size.value);
  store_le<std::uint32_t>(out, kCrcAt, crc32c(out));
  return out;
}

std::string unpublished(const std::string& path) {
  return path + ".new";
}

}  // namespace

bool lies_in_memory(const std::string& path) {
  struct statfs where {};
  const std::string directory = std::filesystem::path(path).parent_path();
  return ::statfs(directory.c_str(), &where) == 0 &&
         (where.f_type == TMPFS_MAGIC || where.f_type == RAMFS_MAGIC);
}

Uuid boot_id() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string text;
  file >> text;
  return parse_uuid(text).value_or(Uuid{});
}

std::optional<KilledRun> parse_run_memory(std::span<const std::byte> file, const RunName& name) {
  if (name.boot.is_nil() || file.size() < kHeaderBytes) return std::nullopt;
  // All but the term is known, so the header as a whole is compared with the one it has to be.
  RunName expected = name;
  expected.term = load_le<std::uint64_t>(file, kTermAt);
  if (!std::ranges::equal(file.first(kHeaderBytes), header_of(expected))) return std::nullopt;
  const std::span<const std::byte> memory = file.subspan(kHeaderBytes);
  return KilledRun{expected.term, remap::evidence_after_kill(memory, name.main_size),
                   remap::unflushed_after_kill(memory, name.main_size)};
}

std::optional<KilledRun> read_run_memory(const std::string& path, const RunName& name) {
  const FileDescriptor fd(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || ::fstat(fd.get(), &status) != 0) return std::nullopt;
  const std::size_t bytes = kHeaderBytes + remap::EngineMemory::bytes_for(name.main_size);
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid() ||
      (status.st_mode & 0777U) != 0600U || static_cast<std::size_t>(status.st_size) != bytes) {
    return std::nullopt;
  }
  std::vector<std::byte> file(bytes);
  for (std::size_t at = 0; at < bytes;) {
    const ssize_t got = ::read(fd.get(), &file[at], bytes - at);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    at += static_cast<std::size_t>(got);
  }
  return parse_run_memory(file, name);
}

Result<RunMemory> RunMemory::make(const std::string& path, const RunName& name) {
  const std::string made = unpublished(path);
  // What a start that was cut off left. A symbolic link goes, not what it points to.
  if (::unlink(made.c_str()) != 0 && errno != ENOENT) return fail_errno(errno, "remove", made);
  const FileDescriptor fd(
      ::open(made.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) return fail_errno(errno, "create", made);
  const std::size_t bytes = kHeaderBytes + remap::EngineMemory::bytes_for(name.main_size);
  // Now, for a store to a page that cannot be had later ends the process.
  if (const int error = ::posix_fallocate(fd.get(), 0, static_cast<off_t>(bytes)); error != 0) {
    (void)::unlink(made.c_str());
    return fail_errno(error, "allocate", made);
  }
  void* const mapped = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0);
  if (mapped == MAP_FAILED) return fail_errno(errno, "map", made);
  const Header header = header_of(name);
  std::memcpy(mapped, header.data(), header.size());
  return RunMemory(path, {static_cast<std::byte*>(mapped), bytes});
}

RunMemory::RunMemory(RunMemory&& other) noexcept
    : path_(std::move(other.path_)), file_(std::exchange(other.file_, {})) {}

RunMemory::~RunMemory() {
  if (!file_.empty()) (void)::munmap(file_.data(), file_.size());
}

std::span<std::byte> RunMemory::memory() const {
  return file_.subspan(kHeaderBytes);
}

Result<void> RunMemory::publish() {
  if (std::rename(unpublished(path_).c_str(), path_.c_str()) != 0) {
    return fail_errno(errno, "rename", unpublished(path_));
  }
  return {};
}

void RunMemory::remove() {
  (void)::unlink(path_.c_str());
}

}  // namespace dmremap::discovery
