// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/main_print.hpp"

#include <algorithm>
#include <cerrno>

#include "discovery/superblock_print.hpp"

namespace dmremap::discovery {

bool is_elsewhere(const format::Extent& extent) {
  return extent.state() == format::State::remapped || extent.state() == format::State::lost ||
         extent.state() == format::State::gone;
}

namespace {

// Main with an unreadable hole where a sector's contents are elsewhere. A print marks unreadable
// units as such, so it does not depend on what main holds in the holes.
class MainWithHoles final : public io::BlockDevice {
 public:
  MainWithHoles(io::BlockDevice& main, const std::vector<format::Extent>& extents)
      : BlockDevice(main.path(), main.geometry()), main_(main), extents_(extents) {}

  [[nodiscard]] bool whole() const { return whole_; }

 private:
  io::IoStatus do_read(Sector first, std::span<std::byte> out) override {
    const SectorRange range{first, SectorCount::from_bytes(out.size())};
    const bool hole = std::ranges::any_of(extents_, [&](const format::Extent& extent) {
      return is_elsewhere(extent) && extent.main().overlaps(range);
    });
    if (hole) return {ENODATA};
    const io::IoStatus status = main_.read(first, out);
    // A large read that fails is repeated unit by unit, so only a failed unit counts.
    if (!status.ok() && range.count == geometry().unit()) whole_ = false;
    return status;
  }
  io::IoStatus do_write(Sector, std::span<const std::byte>) override { return {EROFS}; }
  io::IoStatus do_flush() override { return {EROFS}; }
  io::IoStatus do_write_zeroes(SectorRange) override { return {EROFS}; }
  io::IoStatus do_discard(SectorRange) override { return {EROFS}; }

  io::BlockDevice& main_;
  const std::vector<format::Extent>& extents_;
  bool whole_ = true;
};

}  // namespace

MainPrint print_of(io::BlockDevice& main, const std::vector<format::Extent>& extents) {
  MainWithHoles served(main, extents);
  const Sha256 print = superblock_print(served);
  return {print, served.whole()};
}

PrintComparison compare_print(io::BlockDevice& main, const format::Content& content, bool always) {
  const bool has_anything_elsewhere = std::ranges::any_of(content.extents, is_elsewhere);
  const bool is_recorded = content.health.clean && content.health.main_print != Sha256{};
  if (!is_recorded || (!always && !has_anything_elsewhere)) return PrintComparison::unknown;
  const MainPrint now = print_of(main, content.extents);
  if (!now.whole) return PrintComparison::unknown;
  return now.print == content.health.main_print ? PrintComparison::equal : PrintComparison::differs;
}

}  // namespace dmremap::discovery
