// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/protocol.hpp"

#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "os/json_line.hpp"

namespace dmremap::control {

namespace {

using nlohmann::json;

std::string text_at(const json& object, const char* key) {
  const auto at = object.find(key);
  return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

Result<json> parse_object(std::string_view line) {
  json parsed = json::parse(line, nullptr, false);
  if (!parsed.is_object()) return fail(ErrorCode::protocol, "not a message of this protocol");
  const auto version = parsed.find("version");
  if (version == parsed.end() || !version->is_number_integer() || *version != kProtocolVersion) {
    return fail(ErrorCode::protocol, "the message is of another version of the protocol", {},
                "use the dmremap that started the set");
  }
  return parsed;
}

}  // namespace

json make_request(std::string_view verb) {
  return {{"version", kProtocolVersion}, {"verb", verb}};
}

json make_answer() {
  return {{"version", kProtocolVersion}, {"ok", true}};
}

json make_answer(const Error& error) {
  return {{"version", kProtocolVersion}, {"ok", false}, {"error", os::to_json(error)}};
}

Error malformed_message(const std::exception& why) {
  return {ErrorCode::protocol,
          fmt::format("a message of another version of dm-remap ({})", why.what()),
          {},
          "use the dmremap that started the set, or stop it and start it again"};
}

Result<json> parse_request(std::string_view line) {
  auto parsed = parse_object(line);
  if (!parsed) return parsed;
  if (text_at(*parsed, "verb").empty())
    return fail(ErrorCode::protocol, "a request without a verb");
  return parsed;
}

Result<json> parse_answer(std::string_view line) {
  auto parsed = parse_object(line);
  if (!parsed) return parsed;
  const auto ok = parsed->find("ok");
  if (ok == parsed->end() || !ok->is_boolean()) {
    return fail(ErrorCode::protocol, "an answer without an outcome");
  }
  if (!ok->get<bool>()) {
    return tl::unexpected(os::error_from_json(parsed->value("error", json::object())));
  }
  return parsed;
}

}  // namespace dmremap::control
