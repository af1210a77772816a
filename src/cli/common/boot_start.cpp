// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/boot_start.hpp"

#include "cli/common/claimed_set.hpp"
#include "cli/common/waiting_mounts.hpp"

namespace dmremap::cli {

namespace {

// A disk that sleeps takes longer, and is waited for.
constexpr std::chrono::seconds kFirstAnswers{2};

// True if a device may still come. Before main does, another disk may lie where main was, or one
// may be there that could be main for all that is known of it.
bool is_worth_waiting(const Error& error, bool is_first) {
  const bool is_of_another =
      error.code == ErrorCode::wrong_main || error.code == ErrorCode::main_unproven;
  return error.code == ErrorCode::missing_device || (is_first && is_of_another);
}

}  // namespace

Result<claims::Claim> enabled_set(const std::string& name, const control::RuntimeDir& runtime) {
  const auto store = claim_store(runtime);
  if (!store) return failure_of(store);
  const auto file = claim_of(*store, name);
  if (!file) return failure_of(file);
  if (!file->claim) return failure_of(file->claim);
  if (claims::is_of_another_host(*file->claim, claims::this_host())) {
    return fail(ErrorCode::claim_of_another, "the claim was written on another host",
                store->path_of(file->name), "`dmremap start " + name + "` by hand takes it over");
  }
  if (!file->claim->enabled) {
    return fail(ErrorCode::not_claimed, "is not to come up by itself", name,
                "`dmremap enable " + name + "` if it is");
  }
  return *file->claim;
}

Result<void> serve_when_present(const claims::Claim& claim, const control::RuntimeDir& runtime,
                                const ServeOnce& serve) {
  DeviceWait wait(claim, discovery::Hints(runtime.hints()), DeviceWait::AfterDeadline::wait_on);
  // Mostly all devices are there, and a start finds that out itself. Only if one is missing, or
  // does not answer at once, it is waited for, by looks that cannot hold up the deadline.
  for (bool is_first = true;; is_first = false) {
    if (!is_first) {
      if (auto present = wait.until_present(); !present) return present;
    }
    bool was_served = false;
    auto ended = serve(was_served, is_first ? std::optional(kFirstAnswers) : std::nullopt);
    if (ended || was_served) return ended;
    if (!is_worth_waiting(ended.error(), is_first)) {
      fail_waiting_mounts(claim);
      return ended;
    }
    if (!is_first) wait.lost(ended.error());
  }
}

}  // namespace dmremap::cli
