// SPDX-License-Identifier: GPL-2.0-or-later
// The states of a spare in classes that keep them few. A slot is no more than what it says of one
// acknowledged commit, and the copies of one region are interchangeable: what is counted is how
// many slots of a column are of which kind.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <vector>

#include "metadata/decision.hpp"
#include "quorum/systems.hpp"

namespace dmremap::quorum {

// `acked` is the last acknowledged commit, n. Column 0 is its column, column 1 the other one.
// "Torn" is a right seal over another body.
enum class Kind : std::uint8_t {
  nothing,    // unreadable, corrupt, empty, foreign, misplaced: no seal of ours in its place
  in_flight,  // the same, because the power went while it was written
  older,      // of commit n-2 in column 0, n-1 in column 1
  older_torn,
  acked,
  acked_torn,
  sibling,  // another commit of the same (sequence, term) as `acked`
  next,     // commit n+1, begun by the opening after the one that made `orphan`
  next_torn,
  rival,   // another commit of the same (sequence, term) as `next`
  orphan,  // commit n+1 of the term of `acked`
};
inline constexpr std::size_t kKinds = 11;

[[nodiscard]] const char* name_of(Kind kind);
// What the decision gets to see of such a slot.
[[nodiscard]] metadata::SlotFact fact_of(Kind kind, unsigned column);
// The kind of the commit that won; nothing: none.
[[nodiscard]] Kind kind_of(const metadata::CommitName& winner);

// How many slots of one column are of which kind, in the near region and in the far one.
struct ColumnState {
  std::array<std::array<std::uint8_t, kKinds>, 2> slots{};

  [[nodiscard]] unsigned count(Kind kind) const {
    const auto i = static_cast<std::size_t>(kind);
    return slots[0][i] + 0U + slots[1][i];
  }
  auto operator<=>(const ColumnState&) const = default;
};

struct State {
  ColumnState acked;  // the column of the acknowledged commit
  ColumnState other;
  auto operator<=>(const State&) const = default;
};

// Any one spare of this state; places that the system does not have are settled and never whole.
[[nodiscard]] metadata::SlotFacts facts_of(const System& system, const State& state);
// "near: 3 acked, 2 nothing; far: ..." for both columns.
[[nodiscard]] std::string describe(const System& system, const State& state);

// What one slot may be, each with the number of ways that lead there.
struct Choice {
  Kind kind;
  std::uint64_t ways;
};
using Choices = std::vector<Choice>;

struct Weighed {
  ColumnState state;
  std::uint64_t ways;
};

// All states of a column whose slot of copy i is one of choices[i], for the copies of `system`;
// `ways` multiply along the copies. Sorted by state.
[[nodiscard]] std::vector<Weighed> all_states(const System& system,
                                              const std::array<Choices, 8>& choices);

}  // namespace dmremap::quorum
