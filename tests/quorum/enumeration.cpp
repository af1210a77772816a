// SPDX-License-Identifier: GPL-2.0-or-later
#include "quorum/enumeration.hpp"

#include <algorithm>
#include <map>
#include <utility>

namespace dmremap::quorum {

using metadata::CopySet;
using metadata::Standing;
using Slots = std::array<Choices, 8>;  // of one column, by copy

namespace {

constexpr CopySet kNoCopies{};

Slots all_of(Kind kind) {
  Slots out;
  out.fill({{kind, 1}});
  return out;
}

Slots with(Slots slots, CopySet copies, Kind kind) {
  for (unsigned copy = 0; copy < 8; ++copy) {
    if (copies.contains(copy)) slots[copy] = {{kind, 1}};
  }
  return slots;
}

// Every slot destroyed, or not.
Slots damaged(const Slots& slots) {
  Slots out;
  for (unsigned copy = 0; copy < 8; ++copy) {
    for (const Choice& choice : slots[copy]) {
      out[copy].push_back(choice);
      out[copy].push_back({Kind::nothing, choice.ways});
    }
  }
  return out;
}

// `slots` while `kind` is written to `targets`, stopped in wave number `wave`.
Slots stopped_in(const System& system, Slots slots, CopySet targets, Kind kind, std::size_t wave) {
  for (std::size_t w = 0; w <= wave; ++w) {
    for (unsigned copy = 0; copy < 8; ++copy) {
      if (!system.waves[w].contains(copy) || !targets.contains(copy)) continue;
      if (w < wave) {
        slots[copy] = {{kind, 1}};
        continue;
      }
      slots[copy].push_back({kind, 1});
      if (system.in_flight == InFlight::unreadable) slots[copy].push_back({Kind::in_flight, 1});
    }
  }
  return slots;
}

// One subset of copies for all that differ only in which copies of one region and wave they take.
struct SomeCopies {
  CopySet copies;
  std::uint64_t ways;
};

std::vector<SomeCopies> subsets(const System& system) {
  std::vector<SomeCopies> out{{kNoCopies, 1}};
  for (const CopySet wave : system.waves) {
    for (const bool far : {false, true}) {
      std::vector<unsigned> group;
      for (unsigned copy = 0; copy < 8; ++copy) {
        if (wave.contains(copy) && (copy >= format::kNearCopies) == far) group.push_back(copy);
      }
      std::vector<SomeCopies> longer;
      for (const SomeCopies& chosen_before : out) {
        std::uint64_t ways = chosen_before.ways;
        CopySet copies = chosen_before.copies;
        longer.push_back({copies, ways});
        for (std::size_t taken = 1; taken <= group.size(); ++taken) {
          copies.add(group[taken - 1]);
          ways = ways * (group.size() - taken + 1) / taken;  // exact: a binomial, in this order
          longer.push_back({copies, ways});
        }
      }
      out = std::move(longer);
    }
  }
  return out;
}

// What came before the damage, where that matters to how much of it must be borne.
enum class Before { anything, whole, orphan_back };

class Enumeration {
 public:
  Enumeration(const System& system, const Rule& rule) : system_(system), rule_(rule) {}

  [[nodiscard]] Ruling judge(const State& state) const {
    return rule_.judge(facts_of(system_, state), system_.contains_quorum);
  }
  [[nodiscard]] Ruling judge(const Slots& acked, const Slots& other) const {
    return judge(
        State{all_states(system_, acked).front().state, all_states(system_, other).front().state});
  }
  [[nodiscard]] bool opens_with_acked(const Slots& acked, const Slots& other) const {
    const Ruling ruling = judge(acked, other);
    return ruling.standing == Standing::read_write && kind_of(*ruling.winner) == Kind::acked;
  }

  // All states of these columns, then with every subset of slots damaged. `newest`: the kind of the
  // last acknowledged commit.
  void add(const Slots& acked, const Slots& other, std::uint64_t ways, Kind newest,
           Before before = Before::anything) {
    auto& matrix = counts_[{newest, before}];
    const auto& columns = indices_of(damaged(acked));
    const auto& others = indices_of(damaged(other));
    for (const auto& [a, ways_a] : columns) {
      if (matrix.size() <= a) matrix.resize(a + 1);
      auto& row = matrix[a];
      for (const auto& [b, ways_b] : others) {
        if (row.size() <= b) row.resize(b + 1);
        row[b] += ways * ways_a * ways_b;
      }
    }
  }

  // One state, as it is.
  void count(const State& state, std::uint64_t ways, Kind newest, Before before) {
    const Ruling ruling = judge(state);
    const unsigned lost = state.acked.count(Kind::nothing) + state.acked.count(Kind::acked_torn) +
                          state.other.count(Kind::nothing) + state.other.count(Kind::next_torn);
    if (ruling.standing == Standing::read_write) {
      const Kind winner = kind_of(*ruling.winner);
      const bool later = winner == Kind::next || winner == Kind::rival || winner == Kind::orphan;
      const bool right = winner == newest || (newest == Kind::acked && later);
      (right ? out_.tally.read_write : out_.tally.wrong) += ways;
      if (!right) note(out_.wrong, lost, state);
      return;
    }
    (ruling.standing == Standing::fork ? out_.tally.fork : out_.tally.doubtful) += ways;
    if (before == Before::whole) note(out_.refused, lost, state);
    if (before == Before::orphan_back) note(out_.refused_for_an_orphan, lost, state);
  }

  [[nodiscard]] Outcome finish() {
    for (const auto& [what, matrix] : counts_) {
      for (std::size_t a = 0; a < matrix.size(); ++a) {
        for (std::size_t b = 0; b < matrix[a].size(); ++b) {
          if (matrix[a][b] == 0) continue;
          count({states_[a], states_[b]}, matrix[a][b], what.first, what.second);
        }
      }
    }
    return out_;
  }

 private:
  using Indices = std::vector<std::pair<std::size_t, std::uint64_t>>;

  const Indices& indices_of(const Slots& slots) {
    std::vector<std::pair<Kind, std::uint64_t>> key;
    for (const Choices& choices : slots) {
      for (const Choice& choice : choices) key.emplace_back(choice.kind, choice.ways);
      key.emplace_back(Kind::nothing, 0);
    }
    const auto [found, is_new] = known_.try_emplace(std::move(key));
    if (is_new) {
      for (const auto& [state, ways] : all_states(system_, slots)) {
        const auto [at, added] = index_.try_emplace(state, states_.size());
        if (added) states_.push_back(state);
        found->second.emplace_back(at->second, ways);
      }
    }
    return found->second;
  }

  void note(Smallest& smallest, unsigned damage, const State& state) const {
    if (damage >= smallest.damaged) return;
    smallest = {damage, describe(system_, state)};
  }

  const System& system_;
  const Rule& rule_;
  std::vector<ColumnState> states_;
  std::map<ColumnState, std::size_t> index_;
  std::map<std::vector<std::pair<Kind, std::uint64_t>>, Indices> known_;
  std::map<std::pair<Kind, Before>, std::vector<std::vector<std::uint64_t>>> counts_;
  Outcome out_;
};

// The column that the next commit goes to, and what it starts from: the other one, or, in place,
// the only one.
struct Columns {
  Slots acked = all_of(Kind::acked);
  Slots other = all_of(Kind::older);
};

// Everything that a commit of `next` may be stopped in, on `targets`.
void add_commits(Enumeration& to, const System& system, const Columns& from, CopySet targets,
                 std::uint64_t ways, Before before = Before::anything) {
  for (std::size_t wave = 0; wave < system.waves.size(); ++wave) {
    if (system.columns == 1) {
      to.add(stopped_in(system, from.acked, targets, Kind::next, wave), from.other, ways,
             Kind::acked, before);
    } else {
      to.add(from.acked, stopped_in(system, from.other, targets, Kind::next, wave), ways,
             Kind::acked, before);
    }
  }
}

// Slots `nothing` in both columns, found at an opening: mended, then a commit; or repaired.
void add_openings(Enumeration& to, const System& system) {
  for (const auto& [dead, ways_dead] : subsets(system)) {
    const Slots acked = with(all_of(Kind::acked), dead, Kind::nothing);
    for (const auto& [dead_other, ways_other] : subsets(system)) {
      if (system.columns == 1 && dead_other != kNoCopies) continue;
      const Slots other = with(all_of(Kind::older), dead_other, Kind::nothing);
      if (!to.opens_with_acked(acked, other)) continue;
      const std::uint64_t ways = ways_dead * ways_other;
      for (std::size_t wave = 0; wave < system.waves.size(); ++wave) {
        to.add(stopped_in(system, acked, dead, Kind::acked, wave), other, ways, Kind::acked);
        to.add(all_of(Kind::acked), stopped_in(system, other, dead_other, Kind::older, wave), ways,
               Kind::acked);
      }
      add_commits(to, system, {all_of(Kind::acked), other}, system.copies, ways,
                  dead == kNoCopies && dead_other == kNoCopies ? Before::whole : Before::anything);
    }
  }
}

// A running writer that has given up on some copies: these hold what they held before.
void add_commits_on_a_quorum(Enumeration& to, const System& system) {
  for (const auto& [failing, ways] : subsets(system)) {
    const CopySet targets = system.copies - failing;
    if (!system.contains_quorum(targets)) continue;
    add_commits(to, system, {with(all_of(Kind::acked), failing, Kind::older), all_of(Kind::older)},
                targets, ways);
  }
}

// A commit is acknowledged once a quorum is durable; what comes after waits for a later flush, all
// of it in flight at once.
void add_acknowledged(Enumeration& to, const System& system) {
  if (!system.last_waves_wait) return;
  CopySet durable;
  for (const CopySet wave : system.waves) {
    if (!system.contains_quorum(durable)) durable = durable | wave;
  }
  const CopySet waiting = system.copies - durable;
  if (waiting == kNoCopies) return;
  // What is not durable yet is new, or what it was two commits ago.
  Slots acked = with(all_of(Kind::older), durable, Kind::acked);
  for (unsigned copy = 0; copy < 8; ++copy) {
    if (!waiting.contains(copy)) continue;
    acked[copy].push_back({Kind::acked, 1});
    if (system.in_flight == InFlight::unreadable) acked[copy].push_back({Kind::in_flight, 1});
  }
  to.add(acked, all_of(Kind::older), 1, Kind::acked, Before::whole);
}

// Copies that hold an unfinished commit of an earlier opening are away while the next opening makes
// its own, and come back.
void add_returns(Enumeration& to, const System& system) {
  if (system.columns == 1) return;
  for (const auto& [away, ways] : subsets(system)) {
    const CopySet rest = system.copies - away;
    if (!system.contains_quorum(rest)) continue;
    if (!to.opens_with_acked(with(all_of(Kind::acked), away, Kind::nothing),
                             with(all_of(Kind::older), away, Kind::nothing))) {
      continue;
    }
    for (const Kind left : {Kind::rival, Kind::orphan}) {
      const Columns columns{all_of(Kind::acked), with(all_of(Kind::older), away, left)};
      add_commits(to, system, columns, rest, ways);
      to.add(columns.acked, with(columns.other, rest, Kind::next), ways, Kind::next,
             left == Kind::orphan ? Before::orphan_back : Before::anything);
    }
  }
}

}  // namespace

Outcome enumerate_crashes(const System& system, const Rule& rule) {
  Enumeration all(system, rule);
  add_openings(all, system);
  add_commits_on_a_quorum(all, system);
  add_acknowledged(all, system);
  add_returns(all, system);
  return all.finish();
}

Outcome enumerate_anything(const System& system, const Rule& rule, bool torn_bodies) {
  Choices acked{{Kind::nothing, 1}, {Kind::older, 1}, {Kind::acked, 1}, {Kind::acked_torn, 1}};
  Choices other{{Kind::nothing, 1}, {Kind::older, 1}, {Kind::next, 1}, {Kind::next_torn, 1}};
  if (system.columns == 1) acked.insert(acked.end(), {{Kind::next, 1}, {Kind::next_torn, 1}});
  if (torn_bodies) {
    acked.insert(acked.end(), {{Kind::older_torn, 1}, {Kind::sibling, 1}});
    other.insert(other.end(), {{Kind::older_torn, 1}, {Kind::rival, 1}});
  }
  Slots acked_slots;
  Slots other_slots;
  acked_slots.fill(acked);
  other_slots.fill(system.columns == 1 ? Choices{{Kind::older, 1}} : other);
  const std::vector<Weighed> others = all_states(system, other_slots);
  Enumeration all(system, rule);
  for (const auto& [column, ways] : all_states(system, acked_slots)) {
    CopySet held;
    for (unsigned region = 0; region < 2; ++region) {
      unsigned count = 0;
      for (const Kind kind : {Kind::acked, Kind::acked_torn, Kind::nothing}) {
        count += column.slots[region][static_cast<std::size_t>(kind)];
      }
      for (unsigned copy = region * format::kNearCopies; count > 0; ++copy, --count) held.add(copy);
    }
    if (!system.contains_quorum(held)) continue;
    for (const auto& [other_column, other_ways] : others) {
      all.count({column, other_column}, ways * other_ways, Kind::acked, Before::anything);
    }
  }
  return all.finish();
}

Endurance endurance(const System& system, const Rule& rule) {
  const Enumeration all(system, rule);
  const auto survives = [&](CopySet dead) {
    return system.contains_quorum(system.copies - dead) &&
           all.opens_with_acked(with(all_of(Kind::acked), dead, Kind::nothing),
                                with(all_of(Kind::older), dead, Kind::nothing));
  };
  Endurance out{system.copies.size(), survives(CopySet{0b0001'1111U})};
  for (unsigned bits = 0; bits < 256; ++bits) {
    const CopySet dead{bits};
    if ((dead - system.copies).size() > 0 || survives(dead)) continue;
    out.any_copies = std::min(out.any_copies, dead.size() - 1);
  }
  return out;
}

}  // namespace dmremap::quorum
