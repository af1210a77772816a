// SPDX-License-Identifier: GPL-2.0-or-later
#include "quorum/lives.hpp"

#include <algorithm>
#include <map>
#include <random>
#include <vector>

#include <fmt/format.h>

namespace dmremap::quorum {

using metadata::CommitName;
using metadata::CopySet;
using metadata::SlotFact;
using metadata::SlotFacts;
using metadata::Standing;

namespace {

constexpr CopySet kNoCopies{};
struct Crash {};

class Life {
 public:
  Life(const System& system, const Rule& rule, std::uint64_t seed, LivesReport& report)
      : system_(system), rule_(rule), random_(seed), report_(report) {
    for (std::uint64_t sequence = 1; sequence <= 2; ++sequence) {
      const CommitName name = fresh_name(sequence, 1);
      for (auto& copy : slots_) copy[sequence % 2] = {true, true, name};
      acknowledge(name);
    }
  }

  // False once an acknowledged commit has been rolled back.
  bool live() {
    const unsigned openings = 2 + below(6);
    for (unsigned i = 0; i < openings; ++i) {
      if (one_in(6)) destroy();
      away_ = i + 1 == openings && one_in(2) ? kNoCopies : some_copies();
      unwritable_ = one_in(3) ? some_copies() : kNoCopies;
      try {
        if (!open()) return false;
      } catch (const Crash&) {
        ++report_.crashes;
      }
    }
    return true;
  }

  [[nodiscard]] std::string story() const {
    return fmt::format("commit {}/{} was acknowledged, {}/{} was opened", newest_.front().sequence,
                       newest_.front().term, opened_.sequence, opened_.term);
  }

 private:
  bool open() {
    const Ruling ruling = rule_.judge(visible(), system_.contains_quorum);
    if (ruling.standing != Standing::read_write) {
      ++(ruling.standing == Standing::fork ? report_.refused_fork : report_.refused_doubtful);
      if (ruling.winner && away_ == kNoCopies && one_in(2)) resolve(*ruling.winner);
      return true;
    }
    ++report_.openings;
    opened_ = *ruling.winner;
    if (std::none_of(newest_.begin(), newest_.end(),
                     [&](const CommitName& name) { return descends(opened_, name); })) {
      return false;
    }
    if (opened_.id != newest_.front().id) ++report_.orphans_back;
    if (!settle(opened_)) return true;
    if (one_in(4)) {
      repair(opened_);
      return true;
    }
    CommitName last = opened_;
    CommitName next = fresh_name(last.sequence + 1, last.term + 1);
    for (unsigned left = below(4) + 1; left > 0; --left) {
      if (!commit(next, last)) return true;
      last = next;
      next = fresh_name(last.sequence + 1, last.term);
    }
    return true;
  }

  // The winner onto every copy that takes it, in its own column; false if that is no quorum.
  bool settle(const CommitName& winner) {
    const auto column = winner.sequence % 2;
    CopySet held;
    CopySet missing;
    for (unsigned copy = 0; copy < 8; ++copy) {
      const SlotFact seen = visible()[copy][column];
      (seen.whole && seen.commit.id == winner.id ? held : missing).add(copy);
    }
    write(winner, missing, held);
    // Nobody has been told of it before the activation that follows is acknowledged.
    return system_.contains_quorum(held);
  }

  // What is damaged in the other column is given the commit before, where some copy has it whole.
  void repair(const CommitName& winner) {
    const auto column = (winner.sequence + 1) % 2;
    const SlotFacts now = visible();
    for (const auto& copy : now) {
      const SlotFact& source = copy[column];
      if (!source.whole || source.commit.id != parent_[winner.id]) continue;
      CopySet damaged;
      for (unsigned target = 0; target < 8; ++target) {
        if (!now[target][column].whole) damaged.add(target);
      }
      CopySet held;
      write(source.commit, damaged, held);
      return;
    }
  }

  bool commit(const CommitName& name, const CommitName& parent) {
    parent_[name.id] = parent.id;
    CopySet held;
    write(name, CopySet{0xff}, held);
    if (!system_.contains_quorum(held)) return false;
    acknowledge(name);
    ++report_.commits;
    return true;
  }

  // The user names a commit to keep; what does not descend from it is given up, knowingly. A slot
  // that cannot be read may come back later and is not resolved over.
  void resolve(const CommitName& keep) {
    std::uint64_t sequence = keep.sequence;
    std::uint64_t term = keep.term;
    for (const auto& copy : slots_) {
      for (const SlotFact& slot : copy) {
        if (!slot.sealed) continue;
        sequence = std::max(sequence, slot.commit.sequence);
        term = std::max(term, slot.commit.term);
      }
    }
    // The column of `keep` stays as it is until the resolution is acknowledged.
    ++sequence;
    if (sequence % 2 == keep.sequence % 2) ++sequence;
    // Until then a later opening may find either.
    newest_.push_back(keep);
    const CommitName first = fresh_name(sequence, term + 1);
    if (!commit(first, keep)) return;
    ++report_.resolutions;
    (void)commit(fresh_name(sequence + 1, term + 1), first);
  }

  // Seals wave by wave on the targets that take writes; may stop at any write, and then loses any
  // of the writes of its wave.
  void write(const CommitName& name, CopySet targets, CopySet& held) {
    const auto column = name.sequence % 2;
    const bool crashes = one_in(3);
    const auto crash_wave = below(static_cast<unsigned>(system_.waves.size()));
    for (unsigned wave = 0; wave < system_.waves.size(); ++wave) {
      for (unsigned copy = 0; copy < 8; ++copy) {
        if (!system_.waves[wave].contains(copy) || !targets.contains(copy)) continue;
        if (away_.contains(copy) || unwritable_.contains(copy)) continue;
        if (crashes && wave == crash_wave && one_in(2)) continue;
        slots_[copy][column] = {true, true, name};
        held.add(copy);
      }
      if (crashes && wave == crash_wave) throw Crash{};
    }
  }

  [[nodiscard]] SlotFacts visible() const {
    SlotFacts out = slots_;
    for (unsigned copy = 0; copy < 8; ++copy) {
      if (away_.contains(copy)) out[copy] = {};
    }
    return out;
  }

  void acknowledge(const CommitName& name) { newest_ = {name}; }

  // For good, until it is written again.
  void destroy() {
    const CopySet copies = some_copies();
    for (unsigned copy = 0; copy < 8; ++copy) {
      if (!copies.contains(copy)) continue;
      if (!one_in(3)) slots_[copy][0] = {};
      if (!one_in(3)) slots_[copy][1] = {};
      if (one_in(3)) slots_[copy][below(2)].whole = false;
    }
  }

  [[nodiscard]] bool descends(const CommitName& name, const CommitName& from) {
    for (CommitId at = name.id;; at = parent_[at]) {
      if (at == from.id) return true;
      if (parent_.find(at) == parent_.end()) return false;
    }
  }

  CommitName fresh_name(std::uint64_t sequence, std::uint64_t term) {
    CommitName out{sequence, term, {}, 0};
    const std::uint64_t id = random_();
    for (unsigned i = 0; i < 8; ++i) out.id.bytes[i] = static_cast<std::byte>(id >> (8 * i));
    return out;
  }

  // Mostly few, sometimes a whole region, sometimes any.
  CopySet some_copies() {
    CopySet out;
    switch (below(6)) {
      case 0:
        return kNoCopies;
      case 1:
        return CopySet{0b0001'1111U};
      case 2:
        return CopySet{static_cast<unsigned>(random_() & 0xffU)};
      default:
        for (unsigned i = below(4); i > 0; --i) out.add(below(8));
        return out;
    }
  }

  unsigned below(unsigned limit) { return static_cast<unsigned>(random_() % limit); }
  bool one_in(unsigned n) { return below(n) == 0; }

  const System& system_;
  const Rule& rule_;
  std::mt19937_64 random_;
  LivesReport& report_;
  SlotFacts slots_{};
  std::map<CommitId, CommitId> parent_;
  // The last acknowledged commit; after a resolution that was begun, also the one it would keep.
  std::vector<CommitName> newest_;
  CommitName opened_;
  CopySet away_;        // unreadable and unwritable during this opening
  CopySet unwritable_;  // readable, and refuses writes
};

}  // namespace

LivesReport sample_lives(const System& system, const Rule& rule, std::uint64_t first_seed,
                         std::uint64_t lives) {
  LivesReport report;
  for (std::uint64_t i = 0; i < lives; ++i) {
    Life life(system, rule, first_seed + i, report);
    ++report.lives;
    if (life.live()) continue;
    if (report.wrong++ == 0) {
      report.first_wrong = fmt::format("life {}: {}", first_seed + i, life.story());
    }
  }
  return report;
}

}  // namespace dmremap::quorum
