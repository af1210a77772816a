// SPDX-License-Identifier: GPL-2.0-or-later
#include "sim/lives/spare_finder.hpp"

#include <array>
#include <cerrno>
#include <string>

#include "format/layout.hpp"
#include "metadata/returned_spare.hpp"
#include "metadata/survey.hpp"
#include "sim/lives/stage.hpp"

namespace dmremap::sim {

namespace {

using metadata::ReturnVerdict;

// Handles are never destroyed, so nobody need own them.
std::shared_ptr<io::BlockDevice> borrowed(Wire& wire) {
  return {&wire, [](io::BlockDevice* /*wire*/) {}};
}

bool answers(io::BlockDevice& device, SectorCount size) {
  std::array<std::byte, format::kBlockBytes> block{};
  for (const Sector at : format::copy_positions(size)) {
    if (device.read(at, block).ok()) return true;
  }
  return false;
}

}  // namespace

Wire& SpareFinder::new_wire() {
  wires_.push_back(std::make_unique<Wire>(stage_.spare, "spare"));
  return *wires_.back();
}

void SpareFinder::plug_in() {
  // No engine runs that could be reading it.
  copy_wire_.reset();
  former_copy_wires_.clear();
  copies_.clear();
  doors_.push_back(std::make_unique<io::AttachedDevice>(borrowed(new_wire())));
}

void SpareFinder::unplug(int error) {
  for (const auto& wire : wires_) wire->cut(error);
}

Result<remap::SpareReopener::Found> SpareFinder::find() {
  if (stage_.crashed()) return fail(ErrorCode::missing_device, "not there");
  const metadata::SpareRecord record{stage_.content.identity.set_uuid,
                                     stage_.content.identity.spare_uuid,
                                     stage_.content.identity.spare.size, 512, true};
  if (answers(door(), record.size)) return fail(ErrorCode::missing_device, "it answers");
  const metadata::KnownCommits commits = stage_.store->known_commits();
  std::vector<Wire*> devices;
  if (copy_wire_) devices.push_back(copy_wire_.get());
  if (stage_.spare.plugged()) devices.push_back(&new_wire());
  std::string refusal;
  for (Wire* const device : devices) {
    const auto found = metadata::survey(*device);
    if (!found) continue;
    const auto judged = metadata::judge_returned_spare(record, commits, device->geometry(), *found);
    if (judged.verdict == ReturnVerdict::refused) {
      refusal = judged.reason;
      ++(device->path() == "copy" ? stage_.report.copies_refused : stage_.report.spares_refused);
    }
    if (judged.verdict == ReturnVerdict::same && found_ == nullptr) found_ = device;
  }
  if (found_ != nullptr) return Found{found_->path(), commits.last};
  if (!refusal.empty()) return fail(ErrorCode::metadata_doubtful, "is there, but " + refusal);
  return fail(ErrorCode::missing_device, "not there");
}

void SpareFinder::attach() {
  if (found_->path() == "copy") {
    throw Broken("promise 8: an older copy of the spare is taken for the spare");
  }
  doors_.back()->attach(borrowed(*found_));
  stage_.end_spare_absence();
}

bool SpareFinder::show_copy(const std::vector<std::byte>& bytes) {
  auto disk = std::make_unique<SimDisk>(stage_.world, stage_.spare.geometry(), "copy");
  disk->poke({0}, bytes);
  const auto found = metadata::survey(*disk);
  if (!found || !found->decision.winner || !stage_.store || stage_.crashed()) return false;
  const metadata::KnownCommits commits = stage_.store->known_commits();
  const CommitId id = found->decision.winner->id;
  if (id == commits.last.id || (commits.undecided && id == commits.undecided->id)) return false;
  copies_.push_back(std::move(disk));
  copy_wire_ = std::make_unique<Wire>(*copies_.back(), "copy");
  stage_.say("a copy of the spare is there");
  return true;
}

void SpareFinder::hide_copy() {
  if (!copy_wire_) return;
  copy_wire_->cut(ENODEV);
  former_copy_wires_.push_back(std::move(copy_wire_));
}

}  // namespace dmremap::sim
