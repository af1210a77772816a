// SPDX-License-Identifier: GPL-2.0-or-later
// Reads one slot and says what its bytes are, before anything is known about the set.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include "base/aligned_buffer.hpp"
#include "format/body.hpp"
#include "format/seal.hpp"
#include "io/block_device.hpp"

namespace dmremap::metadata {

struct SlotReading {
  bool seal_unreadable = false;
  bool body_unreadable = false;
  format::SealReading seal;
  bool in_place = false;  // of a seal that checks
  // The body needs a section that this version does not know.
  bool newer_body = false;
  // Of a seal that checks and is in place, if the body is the one it seals.
  std::optional<format::DecodedBody> body;
};

// Not thread-safe: keeps a buffer.
class SlotReader {
 public:
  explicit SlotReader(io::BlockDevice& device) : device_(device), body_(format::kBodyBytes) {}

  [[nodiscard]] SlotReading read(format::SlotAddress at, Sector slot_start);
  // The raw body blocks of the last slot whose body was read and is whole.
  [[nodiscard]] std::span<const std::byte> body_bytes() const { return last_body_; }

 private:
  void read_body(SlotReading& out, Sector slot_start);
  void take(SlotReading& out, const format::DecodedBody& body, std::span<const std::byte> blocks);

  io::BlockDevice& device_;
  AlignedBuffer seal_{format::kBlockBytes};
  AlignedBuffer body_;
  std::span<const std::byte> last_body_;
  // The copies of a commit hold the same body: in each column, what was decoded last.
  struct Decoded {
    std::vector<std::byte> blocks;
    format::DecodedBody body;
  };
  std::array<std::optional<Decoded>, format::kSlots> decoded_;
};

}  // namespace dmremap::metadata
