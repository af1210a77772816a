// SPDX-License-Identifier: GPL-2.0-or-later
#include "rig.hpp"

#include <stdexcept>
#include <utility>

#include "metadata/survey.hpp"
#include "storage.hpp"

namespace dmremap::bench {

namespace {

template <typename T>
T taken(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message());
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

}  // namespace

RunningEngine::RunningEngine(io::BlockDevice& main, io::BlockDevice& spare,
                             std::vector<format::Extent> extents) {
  format::Content content = content_with(0);
  content.identity.main.size = main.geometry().size;
  content.identity.spare.size = spare.geometry().size;
  taken(metadata::Store::create(spare, content, system_random(), system_clock()));
  const metadata::Survey survey = taken(metadata::survey(spare));
  content.extents = std::move(extents);
  store_ =
      taken(metadata::Store::activate(spare, survey, content, system_random(), system_clock()));
  remap::EngineParts parts;
  parts.main = &main;
  parts.spares = {&spare};
  parts.store = store_.get();
  parts.clock = &system_clock();
  engine_ = taken(remap::Engine::start(parts, content));
}

RunningEngine::~RunningEngine() {
  engine_->stop();
}

std::vector<format::Extent> spread_extents(std::uint64_t count, SectorCount sectors_each,
                                           SectorCount main_size, Sector first_spare) {
  std::vector<format::Extent> out;
  out.reserve(count);
  const std::uint64_t slots = main_size.value / sectors_each.value;
  for (std::uint64_t i = 0; i < count; ++i) {
    const Sector at{i * slots / count * sectors_each.value};
    const SectorCount before{i * sectors_each.value};
    out.emplace_back(format::State::remapped, SectorRange{at, sectors_each},
                     SpareAddress{kFirstSpare, first_spare + before});
  }
  return out;
}

}  // namespace dmremap::bench
