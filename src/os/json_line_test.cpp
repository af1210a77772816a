// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/json_line.hpp"

#include <gtest/gtest.h>

namespace dmremap::os {
namespace {

TEST(JsonLine, EveryErrorCodeKeepsItsMeaning) {
#define DMREMAP_CHECK_CODE(id, name, error_class) \
  EXPECT_EQ(error_from_json(to_json(Error{ErrorCode::id, "w", "", ""})).code, ErrorCode::id);
  DMREMAP_ERROR_CODES(DMREMAP_CHECK_CODE)
#undef DMREMAP_CHECK_CODE
}

}  // namespace
}  // namespace dmremap::os
