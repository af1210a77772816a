// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/streams.hpp"

#include <unistd.h>

#include "io/replace_file.hpp"
#include "os/descriptor_io.hpp"

namespace dmremap::cli {

bool is_stream(const std::string& file) {
  return file == "-";
}

std::string input_path(const std::string& file) {
  return is_stream(file) ? "/dev/stdin" : file;
}

Result<void> write_output(const std::string& file, std::string_view bytes) {
  if (is_stream(file)) return os::write_all(STDOUT_FILENO, bytes, "standard output");
  return io::write_file(file, bytes);
}

Result<void> check_output(const std::string& file, const std::string& option, bool as_json) {
  if (!as_json || !is_stream(file)) return {};
  return fail(ErrorCode::usage, "this and the JSON cannot both go to standard output", option,
              "give it a file");
}

}  // namespace dmremap::cli
