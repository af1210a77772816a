// SPDX-License-Identifier: GPL-2.0-or-later
// Spares to measure on: image files, and the same as if their device behaved otherwise.
#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "format/content.hpp"
#include "io/file_device.hpp"

namespace dmremap::bench {

inline constexpr SectorCount kSpareSize{524'288};  // 256 MiB
inline constexpr Sector kFirstFree{200'000};       // behind it no copy but far ones

// An image file, O_DIRECT where the file system has it, removed at the end. Throws
// std::runtime_error if it cannot be made.
class Image {
 public:
  explicit Image(const std::string& directory, SectorCount size = kSpareSize);
  ~Image();
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;

  [[nodiscard]] io::FileDevice& device() { return *device_; }

 private:
  std::string path_;
  std::unique_ptr<io::FileDevice> device_;
};

// Passes everything on and counts the bytes written. Without flushes it is the device as it would
// be if its cache survived a power cut: then there is nothing to flush.
class Storage final : public io::BlockDevice {
 public:
  enum class Flushes { passed_on, needless };
  Storage(io::BlockDevice& device, Flushes flushes)
      : BlockDevice(device.path(), device.geometry()), device_(device), flushes_(flushes) {}

  [[nodiscard]] std::uint64_t bytes_written() const { return bytes_written_; }

 private:
  io::IoStatus do_read(Sector first, std::span<std::byte> out) override {
    return device_.read(first, out);
  }
  io::IoStatus do_write(Sector first, std::span<const std::byte> data) override {
    bytes_written_ += data.size();
    return device_.write(first, data);
  }
  void do_read_many(std::span<io::ReadOp> ops) override { device_.read_many(ops); }
  void do_write_many(std::span<io::WriteOp> ops) override {
    for (const io::WriteOp& op : ops) bytes_written_ += op.data.size();
    device_.write_many(ops);
  }
  io::IoStatus do_flush() override {
    return flushes_ == Flushes::passed_on ? device_.flush() : io::kIoOk;
  }
  io::IoStatus do_write_zeroes(SectorRange range) override { return device_.write_zeroes(range); }
  io::IoStatus do_discard(SectorRange range) override { return device_.discard(range); }

  io::BlockDevice& device_;
  Flushes flushes_;
  std::atomic<std::uint64_t> bytes_written_{0};
};

// The content of a set with `extents` remapped extents of 8 sectors.
[[nodiscard]] format::Content content_with(std::uint64_t extents);
// Adds one more to what content_with or add_extent made.
void add_extent(format::Content& content);

}  // namespace dmremap::bench
