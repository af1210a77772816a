// SPDX-License-Identifier: GPL-2.0-or-later
// The style sheet of the page: narrow and wide, light and dark, and in print.
#pragma once

#include <string>

namespace dmremap::report {

[[nodiscard]] std::string style_sheet();

}  // namespace dmremap::report
