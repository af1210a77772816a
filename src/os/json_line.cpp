// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/json_line.hpp"

#include <array>
#include <string_view>

namespace dmremap::os {

namespace {

using nlohmann::json;

ErrorCode code_named(std::string_view name) {
  static constexpr std::array kCodes{
#define DMREMAP_CODE(id, text, error_class) ErrorCode::id,
      DMREMAP_ERROR_CODES(DMREMAP_CODE)
#undef DMREMAP_CODE
  };
  for (const ErrorCode code : kCodes) {
    if (name_of(code) == name) return code;
  }
  return ErrorCode::internal;
}

std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

}  // namespace

std::string to_line(const json& message) {
  return message.dump(-1, ' ', false, json::error_handler_t::replace);
}

json to_json(const Error& error) {
  return {{"code", name_of(error.code)},
          {"what", error.what},
          {"where", error.where},
          {"hint", error.hint}};
}

Error error_from_json(const json& object) {
  if (!object.is_object()) return Error{ErrorCode::protocol, "an error that says nothing", {}, {}};
  return Error{code_named(text_at(object, "code")), text_at(object, "what"),
               text_at(object, "where"), text_at(object, "hint")};
}

}  // namespace dmremap::os
