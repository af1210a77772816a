// SPDX-License-Identifier: GPL-2.0-or-later
// Errors as values. Every message says what went wrong, where, and what to do about it.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

#include "base/error_code.hpp"

namespace dmremap {

struct Error {
  ErrorCode code = ErrorCode::internal;
  std::string what;   // what went wrong, lower case, no full stop
  std::string where;  // the device, set or file it concerns; may be empty
  std::string hint;   // what the user can do; may be empty

  // "where: what; hint", on one line.
  [[nodiscard]] std::string message() const;
};

template <typename T>
using Result = tl::expected<T, Error>;

[[nodiscard]] inline tl::unexpected<Error> fail(ErrorCode code, std::string what,
                                                std::string where = {}, std::string hint = {}) {
  return tl::unexpected<Error>(Error{code, std::move(what), std::move(where), std::move(hint)});
}

// Returns the error of a step that failed as the result of the caller: `if (!size) return
// failure_of(size);`
template <typename T>
[[nodiscard]] tl::unexpected<Error> failure_of(const Result<T>& failed) {
  return tl::unexpected<Error>(failed.error());
}

// The error of a failed system call: "cannot OPEN: No such file or directory".
[[nodiscard]] tl::unexpected<Error> fail_errno(int error, std::string_view doing, std::string where,
                                               std::string hint = {});

// errno's text, without locale or shared buffer.
[[nodiscard]] std::string errno_text(int error);

}  // namespace dmremap
