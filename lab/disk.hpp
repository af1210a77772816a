// SPDX-License-Identifier: GPL-2.0-or-later
// The disk that fails on command: an image and the faults on it.
//
// Every request passes the same gates: unplugged? its turn of the arm? slow? faulty? A request that
// meets a bad sector fails as a whole. A write may have reached the healthy sectors before the bad
// one, as on a real disk, and never the bad one or what lies behind it.
//
// With a volatile cache, writes stay in memory until a flush, and what ends the disk before ends
// them: a flush that fails, being unplugged, the death of the process.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arm_gate.hpp"
#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "base/units.hpp"
#include "fault_map.hpp"
#include "flush_fault.hpp"
#include "write_cache.hpp"

namespace dmremap::lab {

// What the disk was asked since it was served. A write that failed counts as a write, too.
struct Counts {
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t zeroes = 0;
  std::uint64_t flushes = 0;
  std::uint64_t failed_reads = 0;
  std::uint64_t failed_writes = 0;
  std::uint64_t failed_zeroes = 0;
  std::uint64_t failed_flushes = 0;
  std::uint64_t delayed = 0;
};

// Any thread may call anything. Offsets and lengths are bytes and need no alignment.
class Disk {
 public:
  // Takes the image, a regular file or a block device, for itself until it is destroyed.
  // Errors: no_such_device, not_a_device, device_in_use, device_too_small, permission, io.
  static Result<std::unique_ptr<Disk>> open(const std::string& image);

  [[nodiscard]] SectorCount size() const { return size_; }
  [[nodiscard]] std::uint64_t size_bytes() const { return size_.bytes(); }
  [[nodiscard]] const std::string& image() const { return image_; }

  // Called when a request has its place in the order in which the arm is asked, so that who hands
  // out requests to several threads can keep theirs.
  using Queued = void (*)();
  static void not_told() {}

  // 0, or the errno of the whole request. read clears nothing of `into` where it fails.
  [[nodiscard]] int read(std::uint64_t offset, std::span<std::byte> into, Queued queued = not_told);
  // `durable`: past a volatile cache.
  [[nodiscard]] int write(std::uint64_t offset, std::span<const std::byte> from,
                          Queued queued = not_told, bool durable = false);
  // Makes a range read as zeros, past a volatile cache; `unmap` may free its space in the image.
  [[nodiscard]] int zero(std::uint64_t offset, std::uint64_t bytes, bool unmap,
                         Queued queued = not_told);
  [[nodiscard]] int flush();

  // In force for every request that begins after they return. Those that wait on a slow sector
  // look again. add_faults refuses (usage), changing nothing, what lies beyond the end.
  [[nodiscard]] Result<void> add_faults(const std::vector<FaultRun>& faults);
  [[nodiscard]] Result<void> clear(SectorRange range);
  void clear();
  void set_unplugged(bool unplugged);
  // A cache that is given up is written down before. Errors: io (the image takes it not).
  [[nodiscard]] Result<void> set_volatile_cache(bool on);
  void set_flush_fault(const FlushFault& fault);
  // No model: every request is served at once. What waits for the arm goes through.
  void set_mode(const std::optional<ArmModel>& model) { arm_.set_model(model); }

  [[nodiscard]] bool unplugged() const;
  [[nodiscard]] std::optional<ArmModel> mode() const { return arm_.model(); }
  [[nodiscard]] bool volatile_cache() const { return caching_; }
  [[nodiscard]] FlushFault flush_fault() const;
  [[nodiscard]] std::vector<FaultRun> faults() const;
  [[nodiscard]] Counts counts() const;

 private:
  struct Gate {
    int error = 0;
    std::uint64_t healthy_bytes = 0;  // from the start of the request to the first bad sector
  };

  Disk(std::string image, FileDescriptor fd, SectorCount size)
      : image_(std::move(image)), fd_(std::move(fd)), size_(size), arm_(size) {}

  // `transferred`: of the bytes, how many the arm has to pass over.
  [[nodiscard]] Gate pass(std::uint64_t offset, std::uint64_t bytes, Access access,
                          std::uint64_t transferred, Queued queued);
  void healed_by_write(std::uint64_t offset, std::uint64_t bytes);
  [[nodiscard]] int read_image(std::uint64_t offset, std::span<std::byte> into);
  [[nodiscard]] int write_image(std::uint64_t offset, std::span<const std::byte> from);
  [[nodiscard]] int write_cached(std::uint64_t offset, std::span<const std::byte> from,
                                 bool durable);
  [[nodiscard]] int write_down();  // the caller holds cache_mutex_
  // What a flush that was asked for now ends with, by order of the fault.
  [[nodiscard]] int next_flush_error();
  [[nodiscard]] int zero_image(std::uint64_t offset, std::uint64_t bytes, bool unmap);
  [[nodiscard]] Result<void> inside(SectorRange range) const;

  struct Counters {
    std::atomic<std::uint64_t> reads{0}, writes{0}, zeroes{0}, flushes{0};
    std::atomic<std::uint64_t> failed_reads{0}, failed_writes{0}, failed_zeroes{0},
        failed_flushes{0}, delayed{0};
  };

  const std::string image_;
  const FileDescriptor fd_;
  const SectorCount size_;
  ArmGate arm_;

  mutable std::mutex mutex_;  // guards faults_, flush_fault_ and unplugged_
  std::condition_variable changed_;
  FaultMap faults_;
  FlushFault flush_fault_;
  bool unplugged_ = false;

  // While there is a cache, it and the image under it change and are read as one.
  std::mutex cache_mutex_;  // guards cache_
  WriteCache cache_;
  std::atomic<bool> caching_{false};
  Counters counters_;
};

}  // namespace dmremap::lab
