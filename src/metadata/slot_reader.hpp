// SPDX-License-Identifier: GPL-2.0-or-later
// Reads one slot and tells what its bytes are, before anything is known about the set.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "format/body.hpp"
#include "format/seal.hpp"
#include "io/block_device.hpp"

namespace dmremap::metadata {

// The contents of one slot. `seal_unreadable` and `body_unreadable` mean that the device gave an
// error; the body is read only if the seal checks and is in its place. `seal` says whether the seal
// checks, and what it names. `in_place` says whether a seal that checks was read where it says it
// lies.
struct SlotReading {
  bool seal_unreadable = false;
  bool body_unreadable = false;
  format::SealReading seal;
  bool in_place = false;
  // The body needs a section that this version does not know.
  bool newer_body = false;
  // The decoded body. Empty unless the seal checks and is in its place and the body is the one that
  // it seals.
  std::optional<format::DecodedBody> body;
};

// Not thread-safe: keeps a buffer.
class SlotReader {
 public:
  explicit SlotReader(io::BlockDevice& device) : device_(device) {}

  [[nodiscard]] SlotReading read(format::SlotAddress at, Sector slot_start);
  // The raw body blocks of the last slot whose body was read and is whole.
  [[nodiscard]] std::span<const std::byte> body_bytes() const { return last_body_; }

 private:
  [[nodiscard]] std::span<std::byte> seal_block() {
    return slot_.span().first(format::kBlockBytes);
  }
  [[nodiscard]] std::span<std::byte> body_blocks() {
    return slot_.span().subspan(format::kBlockBytes);
  }
  // Reads the seal, and the start of the body with it if that can be. The bytes of the body that
  // were read; nothing if the seal is unreadable.
  std::optional<std::size_t> read_start(Sector slot_start);
  // `there`: bytes of the body that were read already.
  void read_body(SlotReading& out, Sector slot_start, std::size_t there);
  void accept(SlotReading& out, const format::DecodedBody& body, std::span<const std::byte> blocks);

  io::BlockDevice& device_;
  AlignedBuffer slot_{format::kBlockBytes + format::kBodyBytes};
  std::span<const std::byte> last_body_;
  // The body that was decoded last in each column. The copies of a commit hold the same bytes, so
  // that a survey mostly decodes two bodies instead of sixteen.
  struct DecodedSlot {
    std::vector<std::byte> blocks;
    format::DecodedBody body;
  };
  std::array<std::optional<DecodedSlot>, format::kSlots> decoded_;
};

}  // namespace dmremap::metadata
