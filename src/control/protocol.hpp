// SPDX-License-Identifier: GPL-2.0-or-later
// The form of every message on a set's socket: a JSON object in one line, with the version of the
// protocol. What is in it is in messages.hpp.
//
// One request, one answer, in order; a connection may carry many. `events` with `follow` gets an
// answer for every batch of events until one of the two sides closes.
#pragma once

#include <exception>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.hpp"

namespace dmremap::control {

inline constexpr int kProtocolVersion = 1;
// Longer requests are refused: the largest is a list of known-bad sectors as long as a table.
// Longer answers are an error of the server.
inline constexpr std::size_t kMaxRequestBytes = std::size_t{1024} * 1024;
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{16} * 1024 * 1024;

[[nodiscard]] nlohmann::json make_request(std::string_view verb);
[[nodiscard]] nlohmann::json make_answer();
[[nodiscard]] nlohmann::json make_answer(const Error& error);

// The same with the fields of a message.
template <typename Request>
[[nodiscard]] nlohmann::json request_of(const Request& request) {
  nlohmann::json out = make_request(Request::kVerb);
  out.update(nlohmann::json(request));
  return out;
}
template <typename Reply>
[[nodiscard]] nlohmann::json answer_of(const Reply& reply) {
  nlohmann::json out = make_answer();
  out.update(nlohmann::json(reply));
  return out;
}

[[nodiscard]] Error malformed_message(const std::exception& why);

// Reads a message from an object. Error protocol if a field is missing or has a wrong type or
// value.
template <typename Message>
[[nodiscard]] Result<Message> message_in(const nlohmann::json& object) {
  try {
    return object.get<Message>();
  } catch (const std::exception& why) {
    if constexpr (requires { Message::malformed(); }) {
      return tl::unexpected(Message::malformed());
    } else {
      return tl::unexpected(malformed_message(why));
    }
  }
}

// Parses the line of a request. Error protocol if it is no request of this version.
[[nodiscard]] Result<nlohmann::json> parse_request(std::string_view line);
// An answer that carries an error is that error.
[[nodiscard]] Result<nlohmann::json> parse_answer(std::string_view line);

}  // namespace dmremap::control
