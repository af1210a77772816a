// SPDX-License-Identifier: GPL-2.0-or-later
#include "disk.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <random>

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

namespace dmremap::lab {

namespace {

constexpr std::uint64_t kCacheBytesMax = 64 * kMiB;

// One draw in [0, 1) for each request.
double draw() {
  thread_local std::minstd_rand generator{std::random_device{}()};
  return std::uniform_real_distribution<double>(0.0, 1.0)(generator);
}

SectorRange touched(std::uint64_t offset, std::uint64_t bytes) {
  const std::uint64_t first = offset / kSectorBytes;
  const std::uint64_t end = align_up(offset + bytes, kSectorBytes) / kSectorBytes;
  return {{first}, {end - first}};
}

Result<std::uint64_t> bytes_of(int fd, const struct stat& facts, const std::string& image) {
  if (S_ISREG(facts.st_mode)) return static_cast<std::uint64_t>(facts.st_size);
  std::uint64_t bytes = 0;
  if (::ioctl(fd, BLKGETSIZE64, &bytes) != 0) return fail_errno(errno, "ask for its size", image);
  return bytes;
}

}  // namespace

Result<std::unique_ptr<Disk>> Disk::open(const std::string& image) {
  struct stat facts {};
  if (::stat(image.c_str(), &facts) != 0) {
    return fail_errno(errno, "open the image", image, "make one with truncate --size=64M FILE");
  }
  const bool block = S_ISBLK(facts.st_mode);
  if (!block && !S_ISREG(facts.st_mode)) {
    return fail(ErrorCode::not_a_device, "neither a regular file nor a block device", image,
                "give an image");
  }
  // O_EXCL without O_CREAT: nobody else may mount or hold a block device (open(2)).
  FileDescriptor fd(::open(image.c_str(), O_RDWR | O_CLOEXEC | (block ? O_EXCL : 0)));
  if (!fd.valid()) return fail_errno(errno, "open the image for reading and writing", image);
  if (::flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return fail(ErrorCode::device_in_use, "the image is in use by another program", image,
                "a dmremap-lab may serve it already; stop that one first");
  }
  const auto bytes = bytes_of(fd.get(), facts, image);
  if (!bytes) return failure_of(bytes);
  if (*bytes == 0 || *bytes % kSectorBytes != 0) {
    return fail(
        ErrorCode::device_too_small,
        fmt::format("{} bytes are no disk: it needs whole sectors of 512, at least one", *bytes),
        image, "set its size with truncate --size");
  }
  std::error_code unresolved;
  const auto real = std::filesystem::canonical(image, unresolved);
  return std::unique_ptr<Disk>(
      new Disk(unresolved ? image : real.string(), std::move(fd), SectorCount::from_bytes(*bytes)));
}

Disk::Gate Disk::pass(std::uint64_t offset, std::uint64_t bytes, Access access,
                      std::uint64_t transferred, Queued queued) {
  const SectorRange range = touched(offset, bytes);
  if (unplugged()) {
    queued();
    return {ENODEV, 0};
  }
  arm_.pass(range, SectorCount::from_bytes(align_up(transferred, kSectorBytes)), queued);
  const auto start = std::chrono::steady_clock::now();
  std::unique_lock lock(mutex_);
  for (bool counted = false; !unplugged_;) {
    const auto ready = start + std::chrono::milliseconds(faults_.delay_ms(range));
    if (std::chrono::steady_clock::now() >= ready) break;
    if (!counted) counters_.delayed.fetch_add(1, std::memory_order_relaxed);
    counted = true;
    changed_.wait_until(lock, ready);
  }
  if (unplugged_) return {ENODEV, 0};
  const auto failure = faults_.decide(range, access, draw());
  if (!failure) return {0, bytes};
  const std::uint64_t bad_at = failure->first_bad.byte_offset();
  return {failure->error, bad_at > offset ? bad_at - offset : 0};
}

void Disk::healed_by_write(std::uint64_t offset, std::uint64_t bytes) {
  // Only sectors that were written whole: the rest of a sector written in part is still unread.
  const std::uint64_t first = align_up(offset, kSectorBytes) / kSectorBytes;
  const std::uint64_t end = (offset + bytes) / kSectorBytes;
  if (end <= first) return;
  const std::lock_guard lock(mutex_);
  faults_.written({{first}, {end - first}});
}

int Disk::read_image(std::uint64_t offset, std::span<std::byte> into) {
  while (!into.empty()) {
    const ssize_t got = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(offset));
    if (got < 0 && errno == EINTR) continue;
    // Nothing where the image ended before: it shrank under us.
    if (got <= 0) return got < 0 ? errno : EIO;
    into = into.subspan(static_cast<std::size_t>(got));
    offset += static_cast<std::uint64_t>(got);
  }
  return 0;
}

int Disk::read(std::uint64_t offset, std::span<std::byte> into, Queued queued) {
  counters_.reads.fetch_add(1, std::memory_order_relaxed);
  int error = pass(offset, into.size(), Access::read, into.size(), queued).error;
  if (error == 0 && caching_) {
    const std::lock_guard lock(cache_mutex_);
    error = read_image(offset, into);
    if (error == 0) cache_.overlay(offset, into);
  } else if (error == 0) {
    error = read_image(offset, into);
  }
  if (error != 0) counters_.failed_reads.fetch_add(1, std::memory_order_relaxed);
  return error;
}

int Disk::write_image(std::uint64_t offset, std::span<const std::byte> from) {
  while (!from.empty()) {
    const ssize_t put = ::pwrite(fd_.get(), from.data(), from.size(), static_cast<off_t>(offset));
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : EIO;
    from = from.subspan(static_cast<std::size_t>(put));
    offset += static_cast<std::uint64_t>(put);
  }
  return 0;
}

int Disk::write_cached(std::uint64_t offset, std::span<const std::byte> from, bool durable) {
  if (!caching_) return write_image(offset, from);
  const std::lock_guard lock(cache_mutex_);
  if (durable) {
    cache_.drop(offset, from.size());
    return write_image(offset, from);
  }
  cache_.put(offset, from);
  // As a disk whose cache is full.
  return cache_.bytes() > kCacheBytesMax ? write_down() : 0;
}

int Disk::write_down() {
  for (const auto& [offset, data] : cache_.blocks()) {
    if (const int error = write_image(offset, data); error != 0) return error;
  }
  cache_.clear();
  return 0;
}

int Disk::write(std::uint64_t offset, std::span<const std::byte> from, Queued queued,
                bool durable) {
  counters_.writes.fetch_add(1, std::memory_order_relaxed);
  const Gate gate = pass(offset, from.size(), Access::write, from.size(), queued);
  int error = write_cached(offset, from.first(gate.healthy_bytes), durable);
  if (error == 0 && durable && gate.error == 0 && ::fdatasync(fd_.get()) != 0) error = errno;
  if (error == 0) healed_by_write(offset, gate.healthy_bytes);
  if (gate.error != 0) error = gate.error;
  if (error != 0) counters_.failed_writes.fetch_add(1, std::memory_order_relaxed);
  return error;
}

int Disk::zero_image(std::uint64_t offset, std::uint64_t bytes, bool unmap) {
  if (bytes == 0) return 0;
  const int mode = FALLOC_FL_KEEP_SIZE | (unmap ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE);
  if (::fallocate(fd_.get(), mode, static_cast<off_t>(offset), static_cast<off_t>(bytes)) == 0) {
    return 0;
  }
  if (errno != EOPNOTSUPP && errno != EINVAL) return errno;
  // The file system under the image cannot, or wants alignment: zeros do as well.
  static constexpr std::array<std::byte, 65536> kZeros{};
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t part = std::min<std::uint64_t>(kZeros.size(), bytes - done);
    if (const int error = write_image(offset + done, std::span(kZeros).first(part)); error != 0) {
      return error;
    }
    done += part;
  }
  return 0;
}

int Disk::zero(std::uint64_t offset, std::uint64_t bytes, bool unmap, Queued queued) {
  counters_.zeroes.fetch_add(1, std::memory_order_relaxed);
  const Gate gate = pass(offset, bytes, Access::write, 0, queued);
  int error = 0;
  {
    const std::lock_guard lock(cache_mutex_);
    cache_.drop(offset, gate.healthy_bytes);
    error = zero_image(offset, gate.healthy_bytes, unmap);
  }
  if (error == 0) healed_by_write(offset, gate.healthy_bytes);
  if (gate.error != 0) error = gate.error;
  if (error != 0) counters_.failed_zeroes.fetch_add(1, std::memory_order_relaxed);
  return error;
}

int Disk::flush() {
  counters_.flushes.fetch_add(1, std::memory_order_relaxed);
  int error = next_flush_error();
  {
    const std::lock_guard lock(cache_mutex_);
    // A flush that fails has lost what it should have kept: nobody may count on it any more, and
    // here nobody can.
    if (error != 0) cache_.clear();
    if (error == 0) error = write_down();
  }
  if (error == 0 && ::fdatasync(fd_.get()) != 0) error = errno;
  if (error != 0) counters_.failed_flushes.fetch_add(1, std::memory_order_relaxed);
  return error;
}

int Disk::next_flush_error() {
  const std::lock_guard lock(mutex_);
  if (unplugged_) return ENODEV;
  const int error = flush_fault_.error;
  if (flush_fault_.times != 0 && --flush_fault_.times == 0) flush_fault_ = {};
  return error;
}

void Disk::set_flush_fault(const FlushFault& fault) {
  const std::lock_guard lock(mutex_);
  flush_fault_ = fault;
}

FlushFault Disk::flush_fault() const {
  const std::lock_guard lock(mutex_);
  return flush_fault_;
}

Result<void> Disk::set_volatile_cache(bool on) {
  const std::lock_guard lock(cache_mutex_);
  if (!on) {
    if (const int error = write_down(); error != 0) {
      return fail_errno(error, "write the cache down", image_);
    }
  }
  caching_ = on;
  return {};
}

Result<void> Disk::inside(SectorRange range) const {
  if (range.end().value <= size_.value) return {};
  return fail(
      ErrorCode::usage,
      fmt::format("the range {}+{} ends beyond the disk", range.first.value, range.count.value),
      image_, fmt::format("it has {} sectors", size_.value));
}

Result<void> Disk::add_faults(const std::vector<FaultRun>& faults) {
  for (const FaultRun& run : faults) {
    if (auto fits = inside(run.range); !fits) return fits;
  }
  {
    const std::lock_guard lock(mutex_);
    for (const FaultRun& run : faults) faults_.add(run.range, run.fault);
  }
  changed_.notify_all();
  return {};
}

Result<void> Disk::clear(SectorRange range) {
  if (auto fits = inside(range); !fits) return fits;
  {
    const std::lock_guard lock(mutex_);
    faults_.clear(range);
  }
  changed_.notify_all();
  return {};
}

void Disk::clear() {
  {
    const std::lock_guard lock(mutex_);
    faults_.clear();
  }
  changed_.notify_all();
}

void Disk::set_unplugged(bool unplugged) {
  {
    const std::lock_guard lock(mutex_);
    unplugged_ = unplugged;
  }
  changed_.notify_all();
  if (!unplugged) return;
  arm_.release();
  const std::lock_guard lock(cache_mutex_);
  cache_.clear();
}

bool Disk::unplugged() const {
  const std::lock_guard lock(mutex_);
  return unplugged_;
}

std::vector<FaultRun> Disk::faults() const {
  const std::lock_guard lock(mutex_);
  return faults_.runs();
}

Counts Disk::counts() const {
  const Counters& c = counters_;
  return {.reads = c.reads,
          .writes = c.writes,
          .zeroes = c.zeroes,
          .flushes = c.flushes,
          .failed_reads = c.failed_reads,
          .failed_writes = c.failed_writes,
          .failed_zeroes = c.failed_zeroes,
          .failed_flushes = c.failed_flushes,
          .delayed = c.delayed};
}

}  // namespace dmremap::lab
