// SPDX-License-Identifier: GPL-2.0-or-later
// A disk over memory whose sectors fail on command: what front ends are tested with, apart from
// everything that the real engine does.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <thread>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "remap/admin.hpp"
#include "remap/disk.hpp"

namespace dmremap::fuse {

// Thread-safe; of overlapping requests each 64 KiB piece is one's or the other's.
class RamDisk : public remap::Disk {
 public:
  explicit RamDisk(const io::Geometry& geometry)
      : geometry_(geometry), bytes_(geometry.size.bytes()) {}
  virtual ~RamDisk() = default;

  // What befalls requests that touch a range.
  struct Faults {
    std::vector<SectorRange> read;   // ENODATA
    std::vector<SectorRange> write;  // write_error
    int write_error = EIO;
    // As the real engine's lost sectors: reads fail until something is written there, zeroing is
    // not supported over them.
    std::vector<SectorRange> lost;
    std::vector<SectorRange> slow;
    std::chrono::milliseconds delay{0};  // of the slow ones
    int flush_error = 0;
    bool zeroing = true;  // else EOPNOTSUPP anywhere
  };
  template <typename Change>
  void change_faults(Change&& change) {
    const std::unique_lock<std::shared_mutex> lock(mutex_);
    change(faults_);
  }

  // For a look at rest: no request may be under way.
  [[nodiscard]] std::span<std::byte> bytes() { return bytes_.span(); }
  // Past all faults.
  void copy_out(Sector first, std::span<std::byte> out) {
    in_pieces(first, out.size(), [&](std::byte* memory, std::size_t at, std::size_t bytes) {
      std::memcpy(out.data() + at, memory, bytes);
    });
  }
  [[nodiscard]] unsigned misaligned() const { return misaligned_.load(); }
  [[nodiscard]] unsigned fua_writes() const { return fua_writes_.load(); }
  [[nodiscard]] unsigned busiest() const { return busiest_.load(); }

  [[nodiscard]] const io::Geometry& geometry() const override { return geometry_; }

  io::IoStatus read(Sector first, std::span<std::byte> out) override {
    const Presence here(*this);
    count_alignment(first, out.data(), out.size());
    const SectorRange range{first, SectorCount::from_bytes(out.size())};
    reads_.fetch_add(1);
    dawdle(range);
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    if (touches(faults_.read, range)) return {ENODATA};
    if (touches(faults_.lost, range)) return {EIO};
    copy_out(first, out);
    return io::kIoOk;
  }

  io::IoStatus write(Sector first, std::span<const std::byte> data, bool fua,
                     remap::RequestTimer* /*timer*/) override {
    const Presence here(*this);
    count_alignment(first, data.data(), data.size());
    const SectorRange range{first, SectorCount::from_bytes(data.size())};
    writes_.fetch_add(1);
    if (fua) fua_writes_.fetch_add(1);
    dawdle(range);
    {
      const std::shared_lock<std::shared_mutex> lock(mutex_);
      if (touches(faults_.write, range)) return {faults_.write_error};
      in_pieces(first, data.size(), [&](std::byte* memory, std::size_t at, std::size_t bytes) {
        std::memcpy(memory, data.data() + at, bytes);
      });
      if (!touches(faults_.lost, range)) return io::kIoOk;
    }
    change_faults([&](Faults& faults) { heal(faults.lost, range); });
    return io::kIoOk;
  }

  io::IoStatus write_zeroes(SectorRange range, remap::RequestTimer* /*timer*/) override {
    const Presence here(*this);
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    if (!faults_.zeroing || touches(faults_.lost, range)) return {EOPNOTSUPP};
    if (touches(faults_.write, range)) return {faults_.write_error};
    zeroings_.fetch_add(1);
    in_pieces(
        range.first, range.count.bytes(),
        [](std::byte* memory, std::size_t, std::size_t bytes) { std::memset(memory, 0, bytes); });
    return io::kIoOk;
  }

  io::IoStatus discard(SectorRange /*range*/, remap::RequestTimer* /*timer*/) override {
    return io::kIoOk;
  }
  io::IoStatus flush() override { return flush_for(shared_); }
  // As the real engine: each account hears of every failure since it began, once.
  io::IoStatus flush_for(remap::FlushHeard& heard,
                         remap::RequestTimer* /*timer*/ = nullptr) override {
    flushes_.fetch_add(1);
    const std::shared_lock<std::shared_mutex> lock(mutex_);
    if (faults_.flush_error != 0) failed_flushes_.fetch_add(1);
    const bool news = heard.main.exchange(failed_flushes_.load()) != failed_flushes_.load();
    return {news ? EIO : faults_.flush_error};
  }
  void begin_hearing(remap::FlushHeard& heard) const override {
    heard.main.store(failed_flushes_.load());
  }

  [[nodiscard]] remap::EngineCounts counts() const {
    remap::EngineCounts counts;
    counts.reads = reads_.load();
    counts.writes = writes_.load();
    counts.flushes = flushes_.load();
    return counts;
  }
  [[nodiscard]] unsigned zeroings() const { return zeroings_.load(); }

 private:
  // Counts the requests under way at once.
  class Presence {
   public:
    explicit Presence(RamDisk& engine) : engine_(engine) {
      const unsigned now = engine_.busy_.fetch_add(1) + 1;
      unsigned most = engine_.busiest_.load();
      while (now > most && !engine_.busiest_.compare_exchange_weak(most, now)) {
      }
    }
    ~Presence() { engine_.busy_.fetch_sub(1); }
    Presence(const Presence&) = delete;
    Presence& operator=(const Presence&) = delete;

   private:
    RamDisk& engine_;
  };

  static bool touches(const std::vector<SectorRange>& ranges, SectorRange range) {
    for (const SectorRange& each : ranges) {
      if (each.overlaps(range)) return true;
    }
    return false;
  }

  static void heal(std::vector<SectorRange>& lost, SectorRange written) {
    std::vector<SectorRange> left;
    for (const SectorRange& range : lost) {
      if (range.first < written.first) {
        const Sector end = std::min(range.end(), written.first);
        left.push_back({range.first, end - range.first});
      }
      if (range.end() > written.end()) {
        const Sector first = std::max(range.first, written.end());
        left.push_back({first, range.end() - first});
      }
    }
    lost = std::move(left);
  }

  void dawdle(SectorRange range) {
    std::chrono::milliseconds delay{0};
    {
      const std::shared_lock<std::shared_mutex> lock(mutex_);
      if (touches(faults_.slow, range)) delay = faults_.delay;
    }
    if (delay.count() > 0) std::this_thread::sleep_for(delay);
  }

  // Calls with (memory, offset in the request, bytes), holding the lock of that piece of the
  // memory: what orders two requests passes through the kernel, where no race detector sees it.
  template <typename Function>
  void in_pieces(Sector first, std::uint64_t bytes, Function&& function) {
    constexpr std::uint64_t kPiece = 64 * kKiB;
    const std::uint64_t begin = first.byte_offset();
    for (std::uint64_t done = 0; done < bytes;) {
      const std::uint64_t from = begin + done;
      const std::uint64_t part = std::min(bytes - done, kPiece - from % kPiece);
      const std::lock_guard<std::mutex> lock(pieces_[from / kPiece % pieces_.size()]);
      function(bytes_.span().data() + from, done, part);
      done += part;
    }
  }

  // Addresses and lengths must be whole blocks; memory should be aligned, to save a copy.
  void count_alignment(Sector first, const std::byte* memory, std::size_t bytes) {
    const std::uint64_t unit = geometry_.logical_block_bytes;
    DMREMAP_ASSERT(first.byte_offset() % unit == 0 && bytes % unit == 0 && bytes != 0);
    DMREMAP_ASSERT(first.byte_offset() + bytes <= geometry_.size.bytes());
    if (reinterpret_cast<std::uintptr_t>(memory) % AlignedBuffer::kAlignment != 0) {
      misaligned_.fetch_add(1);
    }
  }

  io::Geometry geometry_;
  AlignedBuffer bytes_;
  std::array<std::mutex, 61> pieces_;  // of bytes_
  std::shared_mutex mutex_;            // of faults_
  Faults faults_;
  std::atomic<std::uint64_t> failed_flushes_{0};
  remap::FlushHeard shared_;  // of those who are not told apart
  std::atomic<unsigned> reads_{0}, writes_{0}, flushes_{0}, zeroings_{0};
  std::atomic<unsigned> misaligned_{0}, fua_writes_{0}, busy_{0}, busiest_{0};
};

}  // namespace dmremap::fuse
