// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/redraw.hpp"

#include <chrono>
#include <cstdio>
#include <thread>

#include <fmt/format.h>
#include <unistd.h>

#include "cli/common/output.hpp"

namespace dmremap::cli {

namespace {

constexpr std::chrono::seconds kEvery{2};
// The cursor goes home and all is erased, the lines that were scrolled away not (ECMA-48, CUP, ED).
constexpr const char* kClear = "\x1b[H\x1b[2J";

}  // namespace

int redraw(const std::string& verb, const std::function<int()>& draw) {
  if (::isatty(STDOUT_FILENO) != 1) {
    return report(Error{ErrorCode::usage, "--watch draws on a terminal, and stdout is none", verb,
                        "use `dmremap monitor` or `dmremap events --follow`"},
                  false);
  }
  for (bool first = true; std::ferror(stdout) == 0; first = false) {
    // At once, because errors are printed to stderr.
    fmt::print("{}", kClear);
    std::fflush(stdout);
    const int code = draw();
    std::fflush(stdout);
    if (first && code != kDone && code != kAttention) return code;
    std::this_thread::sleep_for(kEvery);
  }
  return kFailed;
}

}  // namespace dmremap::cli
