// SPDX-License-Identifier: GPL-2.0-or-later
// `-` where a file is meant: standard input or standard output.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"

namespace dmremap::cli {

[[nodiscard]] bool is_stream(const std::string& file);

// The path at which a file that is read can be opened: of `-` that of standard input.
[[nodiscard]] std::string input_path(const std::string& file);

// Writes to a file as io::write_file does, or to standard output.
[[nodiscard]] Result<void> write_output(const std::string& file, std::string_view bytes);

// Error usage if the output of `option` and JSON would both go to standard output.
[[nodiscard]] Result<void> check_output(const std::string& file, const std::string& option,
                                        bool as_json);

}  // namespace dmremap::cli
