// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/boot_start.hpp"

#include "cli/common/claimed_set.hpp"
#include "cli/common/waiting_mounts.hpp"

namespace dmremap::cli {

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
                                const std::function<Result<void>(bool& was_served)>& serve) {
  DeviceWait wait(claim, discovery::Hints(runtime.hints()), DeviceWait::AfterDeadline::wait_on);
  for (;;) {
    if (auto present = wait.until_present(); !present) return present;
    bool was_served = false;
    auto ended = serve(was_served);
    if (ended || was_served) return ended;
    if (ended.error().code != ErrorCode::missing_device) {
      fail_waiting_mounts(claim);
      return ended;
    }
    wait.lost(ended.error());
  }
}

}  // namespace dmremap::cli
