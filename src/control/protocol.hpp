// SPDX-License-Identifier: GPL-2.0-or-later
// What goes over a set's socket: JSON objects, one a line, each with the version of the protocol.
//
//   request   {"version":1,"verb":"status"}
//             {"version":1,"verb":"events","after":12,"follow":true}
//             {"version":1,"verb":"remap","first":2048,"count":8}
//             {"version":1,"verb":"unremap","first":2048,"count":8}
//             {"version":1,"verb":"mark","lost":[first,count,...],"suspect":[...],"dry_run":false}
//             {"version":1,"verb":"backfill","ranges":[first,count,...],"data":"base64 of all of
//             them",
//              "as_of":1234,"gone":false}
//             {"version":1,"verb":"settle"}
//             {"version":1,"verb":"copied","run":"UUID","writes":1234,"left_out":[first,count,...]}
//             {"version":1,"verb":"extents"}
//             {"version":1,"verb":"stop"}   {"version":1,"verb":"ping"}
//   answer    {"version":1,"ok":true,...}
//             {"version":1,"ok":false,"error":{"code","what","where","hint"}}
//
// One request, one answer, in order; a connection may carry many. `events` with `follow` gets an
// answer for every batch of events until one of the two sides closes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/result.hpp"

namespace dmremap::control {

inline constexpr int kProtocolVersion = 1;
// Longer requests are refused; longer answers are an error of the server.
// A list of known-bad sectors as long as a table is one request.
inline constexpr std::size_t kMaxRequestBytes = std::size_t{1024} * 1024;
inline constexpr std::size_t kMaxAnswerBytes = std::size_t{16} * 1024 * 1024;

[[nodiscard]] nlohmann::json make_request(std::string_view verb);
[[nodiscard]] nlohmann::json make_answer();
[[nodiscard]] nlohmann::json make_answer(const Error& error);

// Errors: protocol, for what is no request or answer of this version.
[[nodiscard]] Result<nlohmann::json> parse_request(std::string_view line);
// An answer that carries an error is that error.
[[nodiscard]] Result<nlohmann::json> parse_answer(std::string_view line);

}  // namespace dmremap::control
