// SPDX-License-Identifier: GPL-2.0-or-later
// The kernel target as a model: what it does with requests and messages, as docs/kernel.md says,
// over a simulated main and an engine in this process.
#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <sstream>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "base/result.hpp"
#include "base/units.hpp"
#include "io/block_device.hpp"
#include "remap/disk.hpp"
#include "table/region_map.hpp"

namespace dmremap::dm {

// Thread-safe.
class ModelTarget {
 public:
  ModelTarget(io::BlockDevice& main, SectorCount size)
      : main_(main),
        regions_((size.value + table::kRegionSectors.value - 1) / table::kRegionSectors.value) {}

  // Where marked and failed requests, and flushes, go.
  void serve_by(remap::Disk& disk) { engine_ = &disk; }

  // One request of a user, inside a region.
  io::IoStatus write(Sector at, std::span<const std::byte> data) {
    return request(
        at, true, [&] { return main_.write(at, data); },
        [&] { return engine_->write(at, data, false); });
  }
  io::IoStatus read(Sector at, std::span<std::byte> out) {
    return request(
        at, false, [&] { return main_.read(at, out); }, [&] { return engine_->read(at, out); });
  }
  io::IoStatus flush() {
    const std::uint32_t ended = next_epoch();
    const io::IoStatus status = engine_->flush();
    const std::lock_guard lock(mutex_);
    if (status.ok()) durable_ = std::max(durable_, ended);
    return status;
  }
  // A write that has come as far as main, and is not done until end().
  void begin(Sector at) {
    const std::lock_guard lock(mutex_);
    ++region(at).in_flight;
  }
  void end(Sector at) {
    const std::lock_guard lock(mutex_);
    region(at).stamp = epoch_;
    --region(at).in_flight;
  }

  // Somebody loads another table of the same size.
  void exchange() {
    const std::lock_guard lock(mutex_);
    ++instance_;
    for (Region& one : regions_) one = {true, 0, 1};
    epoch_ = 2;
    durable_ = 0;
  }

  [[nodiscard]] bool is_marked(Sector at) {
    const std::lock_guard lock(mutex_);
    return region(at).marked;
  }
  [[nodiscard]] bool is_dirty(Sector at) {
    const std::lock_guard lock(mutex_);
    return region(at).stamp > durable_;
  }
  [[nodiscard]] std::uint64_t sent_to_main() {
    const std::lock_guard lock(mutex_);
    return sent_to_main_;
  }

  // The answer to a message. A verb in `refused` is obeyed, and its answer lost.
  Result<std::string> answer(const std::string& message) {
    std::istringstream words(message);
    std::string verb;
    words >> verb;
    const std::lock_guard lock(mutex_);
    if (verb == "hello") return say(fmt::format(" {} 2048", regions_.size()));
    std::string protocol;
    std::string instance;
    words >> protocol >> instance;
    if (instance != fmt::format("{:016x}", instance_)) {
      return fail(ErrorCode::protocol, "another table");
    }
    auto done = obey(verb, words);
    if (verb == refused) return fail(ErrorCode::io, "the answer is lost");
    return done;
  }
  std::string refused;

 private:
  struct Region {
    bool marked = true;
    unsigned in_flight = 0;
    std::uint32_t stamp = 1;
  };

  [[nodiscard]] Region& region(Sector at) { return regions_.at(table::region_of(at)); }
  [[nodiscard]] std::string say(const std::string& text) const {
    return fmt::format("1 {:016x}{}", instance_, text);
  }
  std::uint32_t next_epoch() {
    const std::lock_guard lock(mutex_);
    return epoch_++;
  }

  // False: it goes to the engine.
  bool enter(Sector at) {
    const std::lock_guard lock(mutex_);
    if (region(at).marked) return false;
    ++region(at).in_flight;
    ++sent_to_main_;
    return true;
  }

  io::IoStatus request(Sector at, bool writes, const std::function<io::IoStatus()>& on_main,
                       const std::function<io::IoStatus()>& by_engine) {
    if (!enter(at)) return by_engine();
    const io::IoStatus status = on_main();
    {
      const std::lock_guard lock(mutex_);
      if (writes) region(at).stamp = epoch_;
      --region(at).in_flight;
    }
    return status.ok() ? status : by_engine();
  }

  template <typename Act>
  static void for_each(std::istringstream& words, const Act& act) {
    std::uint32_t first = 0;
    std::uint32_t count = 0;
    char plus = 0;
    while (words >> first >> plus >> count) {
      for (std::uint32_t i = first; i < first + count; ++i) act(i);
    }
  }
  template <typename Listed>
  std::string list(std::uint32_t from, const Listed& listed) {
    std::string out;
    for (; from < regions_.size(); ++from) {
      if (listed(regions_[from])) out += fmt::format(" {}+1", from);
    }
    return say(out + fmt::format(" next {}", regions_.size()));
  }

  Result<std::string> obey(const std::string& verb, std::istringstream& words) {
    std::uint64_t sum = 0;
    std::uint32_t number = 0;
    std::uint32_t from = 0;
    if (verb == "mark") {
      for_each(words, [&](std::uint32_t i) {
        sum += regions_.at(i).in_flight;
        regions_.at(i).marked = true;
      });
    } else if (verb == "clear") {
      for_each(words, [&](std::uint32_t i) {
        sum += regions_.at(i).marked ? 1U : 0U;
        regions_.at(i).marked = false;
      });
    } else if (verb == "drain") {
      words >> number;
      bool all_marked = true;
      for_each(words, [&](std::uint32_t i) {
        sum += regions_.at(i).in_flight;
        all_marked = all_marked && regions_.at(i).marked;
      });
      if (!all_marked) return fail(ErrorCode::io, "not marked");
    } else if (verb == "marks") {
      words >> from;
      return list(from, [](const Region& one) { return one.marked; });
    } else if (verb == "dirty") {
      words >> from;
      return list(from, [this](const Region& one) { return one.stamp > durable_; });
    } else if (verb == "written") {
      words >> number >> from;
      return list(from, [number](const Region& one) { return one.stamp > number; });
    } else if (verb == "epoch") {
      return say(fmt::format(" {} {}", epoch_++, durable_));
    } else if (verb == "settle") {
      words >> number;
      durable_ = std::max(durable_, number);
      return say(fmt::format(" {}", durable_));
    } else {
      return fail(ErrorCode::io, "no such verb");
    }
    return say(fmt::format(" {}", sum));
  }

  std::mutex mutex_;
  io::BlockDevice& main_;
  remap::Disk* engine_ = nullptr;
  std::vector<Region> regions_;
  std::uint64_t instance_ = 0xaa;
  std::uint32_t epoch_ = 2;
  std::uint32_t durable_ = 0;
  std::uint64_t sent_to_main_ = 0;
};

}  // namespace dmremap::dm
