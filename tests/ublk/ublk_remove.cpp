// SPDX-License-Identifier: GPL-2.0-or-later
// Removes the ublk device ID, whoever serves it: what an administrator's `ublk del` does.
#include <cstdint>
#include <cstdio>

#include <fmt/format.h>

#include "base/parse.hpp"
#include "ublk/control.hpp"

int main(int argc, char** argv) {
  using namespace dmremap;
  const auto id = parse_number(argc == 2 ? argv[1] : "");
  if (!id) {
    fmt::print(stderr, "usage: ublk_remove ID\n");
    return 2;
  }
  auto control = ublk::Control::open();
  const auto removed = control ? control->remove(static_cast<std::uint32_t>(*id))
                               : Result<void>(failure_of(control));
  if (removed) return 0;
  fmt::print(stderr, "ublk_remove: {}\n", removed.error().message());
  return 1;
}
