// SPDX-License-Identifier: GPL-2.0-or-later
// The claims of this host: one file a set in one directory, /etc/dm-remap/claims.d, which belongs
// to root alone. A file is replaced as a whole and made durable, so that whatever moment the power
// fails, the claim of before or the new one is there.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "base/uuid.hpp"
#include "claims/claim.hpp"

namespace dmremap::claims {

// One file of the directory. A file that cannot be read as a claim is named by its error.
struct ClaimFile {
  std::string name;  // of the set, by the file
  Result<Claim> claim;
};

// Not thread-safe against itself.
class ClaimStore {
 public:
  // An empty path: this user keeps no claims; then there are none, and none is written.
  explicit ClaimStore(std::string directory) : directory_(std::move(directory)) {}

  [[nodiscard]] bool keeps_claims() const { return !directory_.empty(); }
  [[nodiscard]] const std::string& directory() const { return directory_; }
  [[nodiscard]] std::string path_of(const std::string& name) const;

  // Empty: there is no such file. Errors: claim_damaged, also of a file whose name is not that of
  // its set; permission, if other users can change it, or it cannot be read; io.
  [[nodiscard]] std::optional<ClaimFile> find(const std::string& name) const;
  // All files whose name can be a set's, sorted.
  [[nodiscard]] std::vector<ClaimFile> all() const;

  // Makes the directory if need be. The claim is durable when this returns. Errors: permission, io,
  // no_space.
  [[nodiscard]] Result<void> write(const Claim& claim) const;
  // Does nothing if there is no such file. Errors: permission, io.
  [[nodiscard]] Result<void> remove(const std::string& name) const;

 private:
  std::string directory_;
};

}  // namespace dmremap::claims
