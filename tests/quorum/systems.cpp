// SPDX-License-Identifier: GPL-2.0-or-later
#include "quorum/systems.hpp"

namespace dmremap::quorum {

using metadata::CopySet;

namespace {

constexpr CopySet kFiveNear{0b0001'1111U};
constexpr CopySet kSeven{0b0111'1111U};
constexpr CopySet kAll{0b1111'1111U};

bool three(CopySet copies) {
  return copies.size() >= 3;
}
bool four(CopySet copies) {
  return copies.size() >= 4;
}
bool five(CopySet copies) {
  return copies.size() >= 5;
}
bool two(CopySet copies) {
  return copies.size() >= 2;
}

System ours(std::string name, std::vector<CopySet> waves, InFlight in_flight) {
  return {std::move(name), kAll, 2, metadata::contains_quorum, std::move(waves), in_flight};
}

std::vector<CopySet> three_waves() {
  return {metadata::kSealWaves.begin(), metadata::kSealWaves.end()};
}

// The fewest of which none contains a quorum together with any one copy more.
System four_waves() {
  System out = ours(
      "the same, four waves, all flushed",
      {CopySet{0b0000'0011U}, CopySet{0b0010'0100U}, CopySet{0b0100'1000U}, CopySet{0b1001'0000U}},
      InFlight::unreadable);
  out.last_waves_wait = false;
  return out;
}

}  // namespace

const System& chosen() {
  static const System system =
      ours("(3 near and 1 far) or 3 far of 8", three_waves(), InFlight::kept_or_lost);
  return system;
}

const std::vector<System>& systems() {
  static const std::vector<System> all{
      {"3 of 5 in place",
       kFiveNear,
       1,
       three,
       {CopySet{0b0'0011U}, CopySet{0b0'1100U}, CopySet{0b1'0000U}},
       InFlight::unreadable},
      {"4 of 5 near, two slots",
       kFiveNear,
       2,
       four,
       {CopySet{0b0'0111U}, CopySet{0b1'1000U}},
       InFlight::kept_or_lost},
      {"5 of 7, two slots",
       kSeven,
       2,
       five,
       {CopySet{0b000'1111U}, CopySet{0b111'0000U}},
       InFlight::kept_or_lost},
      chosen(),
      ours("the same, in flight unreadable", three_waves(), InFlight::unreadable),
      four_waves(),
  };
  return all;
}

const System& three_copies() {
  static const System system{"2 of 3, two slots",
                             CopySet{0b0010'0011U},
                             2,
                             two,
                             {CopySet{1U}, CopySet{2U}, CopySet{32U}},
                             InFlight::kept_or_lost};
  return system;
}

}  // namespace dmremap::quorum
