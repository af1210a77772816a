// SPDX-License-Identifier: GPL-2.0-or-later
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/uuid.hpp"
#include "format/seal.hpp"

namespace dmremap::metadata {

// Names one commit. `sequence` counts the commits of a set and `term` its openings; together they
// give the order. `id` is random, so that two commits which two openings gave the same numbers can
// be told apart: they are siblings, and neither is the later one. `wall_ns` is the time of the
// commit, for people only.
struct CommitName {
  std::uint64_t sequence = 0;
  std::uint64_t term = 0;
  CommitId id;
  std::uint64_t wall_ns = 0;

  [[nodiscard]] std::pair<std::uint64_t, std::uint64_t> order() const { return {sequence, term}; }
  bool operator==(const CommitName&) const = default;
};

// The commits that the spare of a running set may show as its newest: the last acknowledged one
// and, once a commit has failed of which it is not known whether the next opening finds it, that
// one. After such a failure nothing more is committed.
struct KnownCommits {
  CommitName last;
  std::optional<CommitName> undecided = {};
};

[[nodiscard]] inline CommitName name_of(const format::Seal& seal) {
  return {seal.sequence, seal.term, seal.commit, seal.wall_ns};
}

}  // namespace dmremap::metadata
