// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/main_choice.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "discovery/views.hpp"

namespace dmremap::discovery {

namespace {

using Candidates = std::vector<MainCandidate>;

// The indices of the candidates for which `condition` holds. Several views of one device count
// once, or a loop device and its file would look like main and its copy.
template <typename Condition>
std::vector<std::size_t> candidates_where(const Candidates& candidates,
                                          const Condition& condition) {
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    if (condition(candidates[i])) found.push_back(i);
  }
  return topmost_views(
      found, [&](std::size_t i) -> const StorageStack& { return candidates[i].device.beneath; });
}

std::string paths_of(const Candidates& candidates, const std::vector<std::size_t>& among) {
  std::vector<std::string> paths;
  paths.reserve(among.size());
  for (const std::size_t i : among) paths.push_back(candidates[i].device.path);
  return fmt::format("{}", fmt::join(paths, " and "));
}

// The error for several devices that all could be main: one of them may hold older data, and
// nothing tells which.
tl::unexpected<Error> ambiguous_mains(const Candidates& candidates,
                                      const std::vector<std::size_t>& found,
                                      const std::string& where) {
  return fail(ErrorCode::ambiguous,
              fmt::format("{} both look like the main device", paths_of(candidates, found)), where,
              "disconnect the copy, or say which it is: --accept-main PATH");
}

// Each of these devices with the facts that speak for it and against it, for messages.
std::string descriptions(const Candidates& candidates, const std::vector<std::size_t>& among) {
  std::vector<std::string> out;
  out.reserve(among.size());
  for (const std::size_t i : among) {
    out.push_back(
        fmt::format("{} ({})", candidates[i].device.path, in_words(candidates[i].verdict)));
  }
  return fmt::format("{}", fmt::join(out, "; "));
}

// The error for no candidate that proves to be main. The most helpful one goes first: a device that
// may be main, then one that is not, then none at all.
tl::unexpected<Error> no_main_error(const Candidates& candidates, const std::string& where) {
  // Of the devices that nothing proves or contradicts, these are worth telling: the named ones, and
  // those with main's size and contents.
  const auto open = candidates_where(candidates, [](const MainCandidate& c) {
    return c.verdict.identity == Identity::unproven &&
           (c.named || (!c.verdict.resized && !c.verdict.contents_changed));
  });
  if (!open.empty()) {
    const std::string& path = candidates[open.front()].device.path;
    return fail(ErrorCode::main_unproven,
                fmt::format("cannot tell whether it is main, for a copy would look the same: {}",
                            descriptions(candidates, open)),
                open.size() == 1 ? path : where,
                fmt::format("if it is the disk itself and no copy of it: --accept-main {}",
                            open.size() == 1 ? path : "PATH"));
  }
  const auto wrong = candidates_where(candidates, [](const MainCandidate& c) { return c.named; });
  if (!wrong.empty()) {
    const MainCandidate& first = candidates[wrong.front()];
    return fail(ErrorCode::wrong_main,
                "is not the main device of this set: " + in_words(first.verdict), first.device.path,
                "give the device the set was made with; if it is that one behind a dock or an "
                "adapter: --accept-main " +
                    first.device.path);
  }
  return fail(ErrorCode::missing_device, "the main device was not found", where,
              "connect it, or name the devices: `dmremap start MAIN SPARE`");
}

}  // namespace

Result<std::size_t> choose_main(const Candidates& candidates, const std::string& where) {
  const auto proved = candidates_where(candidates, [](const MainCandidate& c) {
    return c.verdict.identity == Identity::same && !c.verdict.by_consent;
  });
  // The user's word decides between devices that cannot be told apart, but not against proof: if
  // another device is proved to be main, the user has named the wrong one.
  const auto accepted =
      candidates_where(candidates, [](const MainCandidate& c) { return c.accepted; });
  if (accepted.size() == 1) {
    // Of several that are proved alike, as the paths of one disk are, the word takes one.
    const bool is_proved = std::ranges::find(proved, accepted.front()) != proved.end();
    if (is_proved) return accepted.front();
    const auto other = std::ranges::find_if(proved, [&](std::size_t i) {
      const StorageStack& one = candidates[i].device.beneath;
      const StorageStack& said = candidates[accepted.front()].device.beneath;
      return i != accepted.front() && !lies_on(one, said) && !lies_on(said, one);
    });
    if (other == proved.end()) return accepted.front();
    return fail(ErrorCode::wrong_main,
                fmt::format("is not main: {} is ({})", candidates[*other].device.path,
                            in_words(candidates[*other].verdict)),
                candidates[accepted.front()].device.path, "leave out --accept-main");
  }
  if (proved.size() == 1) return proved.front();
  if (proved.size() > 1) {
    const auto said_to_be = candidates_where(candidates, [](const MainCandidate& c) {
      return c.verdict.identity == Identity::same && c.verdict.at_accepted_port;
    });
    if (said_to_be.size() == 1) return said_to_be.front();
    return ambiguous_mains(candidates, proved, where);
  }
  // Without proof, a device counts that the user accepted at an earlier start, if there is only
  // one.
  const auto said =
      candidates_where(candidates, [](const MainCandidate& c) { return c.verdict.by_consent; });
  if (said.size() == 1) return said.front();
  if (said.size() > 1) return ambiguous_mains(candidates, said, where);
  return no_main_error(candidates, where);
}

Result<void> check_main(const MainCandidate& main, const MainConsent& consent) {
  const IdentityVerdict& verdict = main.verdict;
  const std::string& path = main.device.path;
  if (verdict.identity != Identity::same && !consent.accepted) {
    if (auto chosen = choose_main({main}, path); !chosen) return failure_of(chosen);
  }
  // From here on it is taken to be main, but it may have changed. --accept-main covers its
  // geometry; changed contents need a consent of their own: sectors on the spare may no longer fit
  // them.
  if (verdict.reblocked && !consent.accepted) {
    return fail(ErrorCode::block_size, *verdict.reblocked, path,
                "attach it with `losetup --sector-size`, or if smaller blocks are fine: "
                "--accept-main " +
                    path);
  }
  if (verdict.resized && !consent.accepted) {
    return fail(ErrorCode::main_resized, *verdict.resized, path,
                "it is served at its recorded size, or what is left of it read-only, with "
                "--accept-main " +
                    path);
  }
  if (verdict.contents_changed && !consent.accepted_changed) {
    return fail(ErrorCode::main_changed, *verdict.contents_changed, path,
                "if it was changed on purpose: --accept-main-changed");
  }
  return {};
}

}  // namespace dmremap::discovery
