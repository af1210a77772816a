// SPDX-License-Identifier: GPL-2.0-or-later
// An open handle of a simulated disk. Once the disk was unplugged the handle is dead, also when the
// disk is back: that takes a new one, as with a real device node.
#pragma once

#include "sim/sim_disk.hpp"

namespace dmremap::sim {

class Wire final : public io::BlockDevice {
 public:
  Wire(SimDisk& disk, std::string path) : Wire(disk, std::move(path), disk.geometry().size) {}
  // A disk that ends at `size`, for now.
  Wire(SimDisk& disk, std::string path, SectorCount size)
      : io::BlockDevice(std::move(path), ending_at(disk.geometry(), size)), disk_(disk) {}

  // `error`: what all requests get from now on.
  void cut(int error) { error_ = error; }

 private:
  static io::Geometry ending_at(io::Geometry geometry, SectorCount size) {
    geometry.size = size;
    return geometry;
  }

  template <typename Request>
  io::IoStatus pass(const Request& request) {
    if (error_ != 0 && !disk_.frozen()) return {error_};
    return request();
  }
  io::IoStatus do_read(Sector first, std::span<std::byte> out) override {
    return pass([&] { return disk_.read(first, out); });
  }
  io::IoStatus do_write(Sector first, std::span<const std::byte> data) override {
    return pass([&] { return disk_.write(first, data); });
  }
  void do_read_many(std::span<io::ReadOp> ops) override {
    if (error_ == 0) return disk_.read_many(ops);
    for (io::ReadOp& op : ops) op.status = {error_};
  }
  void do_write_many(std::span<io::WriteOp> ops) override {
    if (error_ == 0) return disk_.write_many(ops);
    for (io::WriteOp& op : ops) op.status = {error_};
  }
  io::IoStatus do_flush() override {
    return pass([&] { return disk_.flush(); });
  }
  io::IoStatus do_write_zeroes(SectorRange range) override {
    return pass([&] { return disk_.write_zeroes(range); });
  }
  io::IoStatus do_discard(SectorRange range) override {
    return pass([&] { return disk_.discard(range); });
  }

  SimDisk& disk_;
  int error_ = 0;
};

}  // namespace dmremap::sim
