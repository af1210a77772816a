// SPDX-License-Identifier: GPL-2.0-or-later
// What the verdict and the page rest on and do not write themselves: answers of smartctl, a stored
// history, and stored latencies. Any bytes are a reading or a reason, and a history that packs to
// one that reads the same, or none; whatever they are, there is a verdict. Latencies pack to what
// reads the same.
//
// Input: which (0 a history, 255 latencies, else an answer with that exit status), then the bytes.
#include <algorithm>
#include <string>

#include "health/history.hpp"
#include "health/latency_profile.hpp"
#include "health/smart.hpp"
#include "health/verdict.hpp"
#include "recipe.hpp"

using namespace dmremap;
using fuzz::require;

namespace {

void require_a_verdict(const health::History& history, const health::DiskState& state) {
  const health::HealthVerdict it = health::assess(history, state);
  require(it.score <= 100, "a score is at most 100");
  require(!it.reasons.empty(), "a verdict has a reason");
  for (const health::Reason& reason : it.reasons) {
    require(!health::text(reason).empty(), "a reason has a text");
  }
  require(!health::text(it.risk).empty(), "a risk has a text");
}

void history(std::span<const std::byte> bytes) {
  const auto read = health::unpack_history(bytes);
  if (!read) return;
  const auto packed = health::pack_history(*read);
  require(packed.size() <= health::kHistoryMaxBytes, "a history fits");
  const auto again = health::unpack_history(packed);
  require(again.has_value(), "what was packed unpacks");
  for (std::size_t i = 0; i < health::kCounts; ++i) {
    const auto what = static_cast<health::Count>(i);
    require(again->total(what) == read->total(what), "no count is lost");
  }
  health::DiskState state;
  state.spare_forecast =
      health::forecast(health::growth_of(*read, health::Level::spare_used), 1000);
  require_a_verdict(*read, state);
}

void latencies(std::span<const std::byte> bytes) {
  health::LatencyProfile it = health::unpack_latency_profile(bytes);
  const auto packed = health::pack_latency_profile(it);
  require(packed.size() <= health::kLatencyProfileMaxBytes, "latencies fit");
  require(health::unpack_latency_profile(packed, it.size()).parts() == it.parts(),
          "what was packed unpacks");
  Sector at;
  for (const health::LatencyPart& part : it.parts()) {
    require(part.sectors.first == at && !part.sectors.empty(), "parts are all of the disk");
    require(part.typical_us.has_value() == part.slowest_us.has_value(), "a part is read or not");
    at = part.sectors.end();
    it.add({part.sectors.first, {1}}, 1);
  }
  require(at.value == it.size().value, "and nothing more");
  it.end_pass();
}

void answer(std::span<const std::byte> bytes, unsigned exit_status) {
  std::string text(bytes.size(), '\0');
  std::ranges::transform(bytes, text.begin(), [](std::byte b) { return std::to_integer<char>(b); });
  const health::SmartReading it = health::read_smart(text, exit_status);
  require((it.state == health::SmartState::read) == it.reason.empty(),
          "what was not read has a reason");
  require(it.defects.size() <= health::kDefectsMost, "the list of defects has an end");
  for (std::size_t i = 0; i < it.defects.size(); ++i) {
    require(!it.defects[i].empty(), "a defect has sectors");
    require(i == 0 || it.defects[i - 1].end() < it.defects[i].first, "defects are disjoint");
  }
  health::DiskIdentity disk{it.model, it.serial, it.wwn, it.capacity_bytes.value_or(0),
                            false,    false,     ""};
  require(health::belief_in(it, disk).belief != health::Belief::other,
          "a disk is not another one than itself");
  health::History history;
  health::note_smart(history, it);
  health::DiskState state;
  state.medium = health::Medium::disk;
  state.smart = it;
  require_a_verdict(history, state);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  fuzz::Recipe recipe(data, size);
  const unsigned which = recipe.u8();
  if (which == 0) {
    history(recipe.rest());
  } else if (which == 255) {
    latencies(recipe.rest());
  } else {
    answer(recipe.rest(), which);
  }
  return 0;
}
