// SPDX-License-Identifier: GPL-2.0-or-later
#include "quorum/states.hpp"

#include <map>

#include <fmt/format.h>

namespace dmremap::quorum {

using metadata::CommitName;
using metadata::SlotFact;

namespace {

constexpr std::uint64_t kAcked = 100;  // its sequence
constexpr std::uint64_t kTerm = 5;

CommitName name(Kind kind, unsigned column) {
  CommitName out;
  switch (kind) {
    case Kind::older:
    case Kind::older_torn:
      out = {column == 0 ? kAcked - 2 : kAcked - 1, kTerm, {}, 0};
      break;
    case Kind::acked:
    case Kind::acked_torn:
    case Kind::sibling:
      out = {kAcked, kTerm, {}, 0};
      break;
    case Kind::next:
    case Kind::next_torn:
    case Kind::rival:
      out = {kAcked + 1, kTerm + 1, {}, 0};
      break;
    case Kind::orphan:
      out = {kAcked + 1, kTerm, {}, 0};
      break;
    case Kind::nothing:
    case Kind::in_flight:
      return out;
  }
  // A wrong rule that lets the id decide must be given the chance to be wrong: what nobody
  // acknowledged has the greater one.
  const bool other = kind == Kind::sibling || kind == Kind::rival || kind == Kind::orphan;
  out.id.bytes[0] = std::byte{static_cast<unsigned char>(other ? 2 : 1)};
  out.id.bytes[1] = static_cast<std::byte>(out.sequence);
  return out;
}

bool is_torn(Kind kind) {
  return kind == Kind::older_torn || kind == Kind::acked_torn || kind == Kind::next_torn;
}

bool is_sealed(Kind kind) {
  return kind != Kind::nothing && kind != Kind::in_flight;
}

std::string describe(const std::array<std::uint8_t, kKinds>& slots) {
  std::string out;
  for (std::size_t i = 0; i < kKinds; ++i) {
    if (slots[i] == 0) continue;
    if (!out.empty()) out += " + ";
    out += fmt::format("{} {}", slots[i], name_of(static_cast<Kind>(i)));
  }
  return out;
}

}  // namespace

const char* name_of(Kind kind) {
  constexpr std::array<const char*, kKinds> kNames{
      "nothing",     "in flight", "older",     "older torn",    "acknowledged", "acknowledged torn",
      "its sibling", "next",      "next torn", "rival of next", "orphan"};
  return kNames.at(static_cast<std::size_t>(kind));
}

SlotFact fact_of(Kind kind, unsigned column) {
  if (!is_sealed(kind)) return {};
  return {true, !is_torn(kind), name(kind, column)};
}

Kind kind_of(const CommitName& winner) {
  for (const Kind kind :
       {Kind::acked, Kind::sibling, Kind::next, Kind::rival, Kind::orphan, Kind::older}) {
    if (winner == name(kind, 0)) return kind;
  }
  return winner == name(Kind::older, 1) ? Kind::older : Kind::nothing;
}

metadata::SlotFacts facts_of(const System& system, const State& state) {
  metadata::SlotFacts facts{};
  // Sealed by a commit before all others, and not whole.
  const SlotFact absent{true, false, CommitName{}};
  const std::array<const ColumnState*, 2> columns{&state.acked, &state.other};
  for (unsigned column = 0; column < 2; ++column) {
    std::array<std::array<std::uint8_t, kKinds>, 2> left = columns[column]->slots;
    for (unsigned copy = 0; copy < 8; ++copy) {
      SlotFact& fact = facts[copy][column];
      fact = absent;
      if (!system.copies.contains(copy) || column >= system.columns) continue;
      auto& region = left[copy < format::kNearCopies ? 0 : 1];
      std::size_t kind = 0;
      while (kind < kKinds && region[kind] == 0) ++kind;
      if (kind == kKinds) continue;
      --region[kind];
      fact = fact_of(static_cast<Kind>(kind), column);
    }
  }
  return facts;
}

std::string describe(const System& system, const State& state) {
  const auto column = [&](const ColumnState& of) {
    std::string out = "near " + describe(of.slots[0]);
    if (system.copies.far() > 0) out += ", far " + describe(of.slots[1]);
    return out;
  };
  std::string out = fmt::format("its column: {}", column(state.acked));
  if (system.columns > 1) out += fmt::format("; the other column: {}", column(state.other));
  return out;
}

std::vector<Weighed> all_states(const System& system, const std::array<Choices, 8>& choices) {
  std::map<ColumnState, std::uint64_t> states{{ColumnState{}, 1}};
  for (unsigned copy = 0; copy < 8; ++copy) {
    if (!system.copies.contains(copy)) continue;
    std::map<ColumnState, std::uint64_t> longer;
    for (const auto& [state, ways] : states) {
      for (const Choice& choice : choices[copy]) {
        ColumnState with = state;
        ++with.slots[copy < format::kNearCopies ? 0 : 1][static_cast<std::size_t>(choice.kind)];
        longer[with] += ways * choice.ways;
      }
    }
    states = std::move(longer);
  }
  std::vector<Weighed> out;
  out.reserve(states.size());
  for (const auto& [state, ways] : states) out.push_back({state, ways});
  return out;
}

}  // namespace dmremap::quorum
