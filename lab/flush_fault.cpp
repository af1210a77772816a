// SPDX-License-Identifier: GPL-2.0-or-later
#include "flush_fault.hpp"

#include <fmt/format.h>

#include "base/parse.hpp"
#include "errno_name.hpp"

namespace dmremap::lab {

Result<FlushFault> parse_flush_fault(std::string_view text) {
  if (text == "ok") return FlushFault{};
  const auto colon = text.find(':');
  const auto error = errno_by_name(text.substr(0, colon));
  FlushFault out;
  bool good = error.has_value();
  if (good) out.error = *error;
  if (good && colon != std::string_view::npos) {
    const auto times = parse_number(text.substr(colon + 1));
    good = times && *times != 0;
    if (good) out.times = *times;
  }
  if (good) return out;
  return fail(ErrorCode::usage, "no way for a flush to end", std::string(text),
              "it is ok, ERRNO or ERRNO:TIMES, as EIO:1");
}

std::string print_flush_fault(const FlushFault& fault) {
  if (fault.error == 0) return "ok";
  const std::string name = name_of_errno(fault.error);
  return fault.times == 0 ? name : fmt::format("{}:{}", name, fault.times);
}

}  // namespace dmremap::lab
