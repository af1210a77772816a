// SPDX-License-Identifier: GPL-2.0-or-later
// A disk in memory that can lose power and go bad. Pristine memory is never changed by a fault:
// faults are an overlay. This is a simulation, for what no real disk does on command: losing any
// chosen subset of its unflushed writes.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>
#include <vector>

#include "io/block_device.hpp"

namespace dmremap::sim {

// One request as the device sees it. `step` counts writes, zeroes, discards and flushes from 0; a
// read carries the step of the next of them.
struct Request {
  enum class Kind { read, write, flush, write_zeroes, discard };
  Kind kind = Kind::read;
  SectorRange range;
  std::uint64_t step = 0;
};

// Thrown out of a request to stop the world there; a test catches it, calls power_cut and reopens.
struct PowerCut {};

// Thread-safe. A request that fails changes nothing. Zeroes and discards are writes of zeros, lost
// at a power cut like any other write. A flush that fails is final for what it covered: those
// writes stay readable but no later flush makes them durable.
class SimDevice final : public io::BlockDevice {
 public:
  explicit SimDevice(io::Geometry geometry, std::string path = "sim");

  // Called before each request, outside the device's lock; a returned error fails the request
  // before it changes anything. May throw PowerCut.
  void set_hook(std::function<io::IoStatus(const Request&)> hook);

  // Overlay faults; `error` is the errno. A request that touches the range fails whole: reads, or
  // writes and zeroes (a discard never fails by them).
  void fail_reads(SectorRange range, int error);
  void fail_writes(SectorRange range, int error);
  void clear_faults();
  // A medium error, not an overlay: each sector cannot be read until it is written again.
  void spoil(SectorRange range, int error);
  // Where a write really lands; none: nowhere. It is acknowledged all the same.
  void set_landing(std::function<std::optional<Sector>(const Request& write)> landing);

  // The power goes: each sector written since the last flush is kept or lost as `keep` says, called
  // once per unflushed sector write in issue order (an older write of a sector may survive a newer
  // one). Then the device works again, with nothing unflushed. `keep` may not call the device.
  void power_cut(const std::function<bool(const Request& write, Sector sector)>& keep);
  [[nodiscard]] std::size_t unflushed_writes() const;  // requests, not sectors
  [[nodiscard]] std::vector<SectorRange> unflushed_ranges() const;
  [[nodiscard]] std::uint64_t steps() const;

  // What a fault-free reader would see now, the unflushed included. Whole device.
  [[nodiscard]] std::vector<std::byte> contents() const;
  // What descriptor_for() says: a number that stands for this device in a test that plays a ring.
  void set_descriptor(int number) { descriptor_.store(number); }
  [[nodiscard]] int descriptor_for(SectorRange /*written*/) const override {
    return descriptor_.load();
  }
  // The device has become larger, and those who use it may use that: zeros, durable at once.
  void grow(SectorCount size);
  // Behind everyone's back: durable at once.
  void poke(Sector first, std::span<const std::byte> data);

 private:
  struct Unflushed {
    Request request;
    std::vector<std::byte> data;
    std::vector<bool> superseded;  // by sector: something newer there is durable
    bool flush_failed = false;
  };
  using Hook = std::function<io::IoStatus(const Request&)>;
  using Landing = std::function<std::optional<Sector>(const Request&)>;
  io::IoStatus before(Request& request);
  void keep_unflushed(const Request& request, std::span<const std::byte> data);
  void supersede(SectorRange range);
  void mend(SectorRange range);
  io::IoStatus do_read(Sector first, std::span<std::byte> out) override;
  io::IoStatus do_write(Sector first, std::span<const std::byte> data) override;
  io::IoStatus do_flush() override;
  io::IoStatus do_write_zeroes(SectorRange range) override;
  io::IoStatus do_discard(SectorRange range) override;

  mutable std::mutex mutex_;
  std::vector<std::byte> durable_;
  std::vector<std::byte> current_;  // durable plus all unflushed
  std::vector<Unflushed> unflushed_;
  std::shared_ptr<const Hook> hook_;
  std::vector<std::pair<SectorRange, int>> read_faults_;
  std::vector<std::pair<SectorRange, int>> write_faults_;
  std::map<std::uint64_t, int> spoiled_;  // by sector
  Landing landing_;
  std::uint64_t steps_ = 0;
  std::atomic<int> descriptor_{-1};
};

}  // namespace dmremap::sim
