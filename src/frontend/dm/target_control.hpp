// SPDX-License-Identifier: GPL-2.0-or-later
// One table of the kernel target, as the engine works with it: docs/kernel.md has the rules of
// order that callers keep. A drain waits, and the table cannot be exchanged meanwhile: never on a
// thread that serves the engine device.
//
// If the table is exchanged by anyone, every call fails from then on. The next table has all
// regions marked and dirty, and is attached to anew.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/units.hpp"
#include "frontend/dm/messages.hpp"

namespace dmremap::dm {

// Not thread-safe; several may be attached to one table.
class TargetControl {
 public:
  // Sends a message and returns the answer (message_ioctl.hpp).
  using Send = std::function<Result<std::string>(const std::string& message)>;

  [[nodiscard]] static Result<TargetControl> attach(Send send);

  [[nodiscard]] const Hello& table() const { return hello_; }
  // The regions that a range touches. It is not empty and ends within the disk.
  [[nodiscard]] RegionRange regions_of(SectorRange range) const;

  // From now on these regions go to the engine. What is on its way to main may still be.
  [[nodiscard]] Result<void> mark(std::span<const RegionRange> ranges) const;
  // Waits until nothing is on its way to main in these marked regions; ErrorCode::timeout if it
  // takes longer than `patience`.
  [[nodiscard]] Result<void> drain(std::span<const RegionRange> ranges,
                                   std::chrono::milliseconds patience) const;
  // From now on these regions go to main.
  [[nodiscard]] Result<void> clear(std::span<const RegionRange> ranges) const;

  [[nodiscard]] Result<std::vector<RegionRange>> marked() const;
  // Written on main since the durable epoch; complete for regions that are drained.
  [[nodiscard]] Result<std::vector<RegionRange>> dirty() const;
  [[nodiscard]] Result<std::vector<RegionRange>> written_after(Epoch epoch) const;
  // The first of them; nothing: there is none.
  [[nodiscard]] Result<std::optional<RegionRange>> first_written_after(Epoch epoch) const;

  [[nodiscard]] Result<Epochs> end_epoch() const;
  // `epoch` and those before it are durable, or were dealt with.
  [[nodiscard]] Result<void> settle(Epoch epoch) const;

  // Requests to main that took longer than the limit, since the last call; from the first call on.
  [[nodiscard]] Result<std::vector<SlowRequest>> take_slow(std::chrono::milliseconds limit);

 private:
  TargetControl(Send send, Hello hello) : send_(std::move(send)), hello_(hello) {}
  [[nodiscard]] Result<std::uint64_t> count(const std::string& message) const;
  template <typename Message>
  Result<std::vector<RegionRange>> list(const Message& message) const;

  Send send_;
  Hello hello_;
  std::uint32_t next_slow_ = 0;
};

}  // namespace dmremap::dm
