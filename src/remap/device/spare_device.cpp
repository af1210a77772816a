// SPDX-License-Identifier: GPL-2.0-or-later
#include "remap/device/spare_device.hpp"

#include <cerrno>
#include <utility>
#include <vector>

#include "format/layout.hpp"

namespace dmremap::remap {

namespace {

// The metadata copies: they are spread over the whole device, and never move.
std::vector<Sector> probe_candidates(SectorCount size) {
  std::vector<Sector> out;
  for (const SectorRange& range : format::reserved_ranges(size)) out.push_back(range.first);
  return out;
}

bool any_unit(SectorRange /*unit*/) {
  return true;
}

}  // namespace

SpareDevice::SpareDevice(SpareIndex its_index, io::BlockDevice& device, SectorCount size_at_create,
                         table::Allocator free_sectors, Scheduling& scheduling)
    : index(its_index),
      recorded_size(size_at_create),
      gate(scheduling),
      allocator(std::move(free_sectors)),
      device_(device),
      probe_(device, probe_candidates(size_at_create), any_unit, scheduling) {}

io::IoStatus SpareDevice::read(Sector first, std::span<std::byte> out) {
  return noted(device_.read(first, out));
}

io::IoStatus SpareDevice::write(Sector first, std::span<const std::byte> data) {
  // As if it were not there: a device of another size may be another device by now.
  if (trouble.is_withheld()) return {ENXIO};
  const std::uint64_t absences = trouble.absences();
  const io::IoStatus status = device_.write(first, data);
  // What a device that is gone did not take is not in its cache.
  if (status.ok() || io::classify(status.error) != io::Fault::device) gate.written();
  // Whoever saw it go may have looked for what is unflushed before this write was marked as that.
  // It is the same absence: counted once more, it would fail the writes that began since.
  if (status.ok() && trouble.absences() != absences) {
    trouble.sign();
    return {ENODEV};
  }
  return noted(status);
}

io::IoStatus SpareDevice::flush() {
  return noted(device_.flush());
}

io::IoStatus SpareDevice::flush_since(FlushGate::Mark since) {
  return gate.flush_since(since, [this] { return flush_in_doubt(); });
}

FlushGate::UserFlush SpareDevice::flush_for_user(FlushGate::Mark heard) {
  return gate.user_flush(heard, true, [this] { return flush_in_doubt(); });
}

io::IoStatus SpareDevice::flush_in_doubt() {
  if (doubts_ == nullptr) return flush();
  doubts_->begin_doubt(index);
  const io::IoStatus status = flush();
  if (status.ok() && !gate.failed_untold()) doubts_->end_doubt(index);
  return status;
}

void SpareDevice::take_over(bool in_doubt) {
  gate.written();
  if (!in_doubt) return;
  if (doubts_ != nullptr) doubts_->begin_doubt(index);
  gate.fail(EIO);
}

io::IoStatus SpareDevice::noted(io::IoStatus status) {
  if (status.ok()) return status;
  if (io::classify(status.error) == io::Fault::device) note_absence();
  trouble.sign();
  return status;
}

void SpareDevice::note_absence() {
  trouble.note_absence();
  if (gate.is_unflushed()) gate.fail(EIO);
}

void SpareDevice::reattach(const std::function<void()>& attach) {
  const auto no_flush = gate.exclusive();
  // In this order. A flush of the new attachment says nothing of what went to the former one, so
  // none may come between the two; and a write that went to the former one is noted as unflushed
  // before this notes the absence, or sees the absence and fails.
  attach();
  note_absence();
}

io::Fault SpareDevice::diagnose(int error) {
  const io::Fault fault = io::classify(error);
  if (fault != io::Fault::unknown) return fault;
  if (probe_.alive(device_, any_unit)) return io::Fault::media;
  // No errno said so yet.
  note_absence();
  return io::Fault::device;
}

}  // namespace dmremap::remap
