// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/client.hpp"

#include <filesystem>
#include <optional>
#include <string>

#include <nlohmann/json.hpp>

#include "control/protocol.hpp"
#include "os/json_line.hpp"
#include "os/unix_socket.hpp"

namespace dmremap::control {

namespace {

Result<nlohmann::json> answer_in(const Result<std::optional<std::string>>& line) {
  if (!line) return failure_of(line);
  if (!*line) return fail(ErrorCode::not_running, "the set ended", {}, "see `dmremap status`");
  return parse_answer(**line);
}

}  // namespace

Result<Client> Client::connect(const std::string& socket_path) {
  auto socket = os::connect_to(socket_path);
  if (!socket && socket.error().code == ErrorCode::not_running) {
    return fail(ErrorCode::not_running, "no such set is running",
                std::filesystem::path(socket_path).stem(),
                "see `dmremap list`, or start it with `dmremap start`");
  }
  if (!socket) return failure_of(socket);
  if (!os::is_peer_trusted(socket->get())) {
    return fail(ErrorCode::permission, "someone else answers on the control socket", socket_path,
                "set DMREMAP_RUNTIME_DIR to a directory of your own");
  }
  return Client(std::move(*socket));
}

Result<nlohmann::json> Client::exchange(const nlohmann::json& request, Milliseconds timeout,
                                        int data) {
  const auto sent = lines_.write_line(os::to_line(request), timeout, data);
  const auto line = lines_.read_line(kMaxAnswerBytes, timeout);
  // A server that takes no more clients says so and closes: its answer is heard though the request
  // could not be sent any more.
  const bool is_answered = line && *line;
  if (!sent && !is_answered) return failure_of(sent);
  return answer_in(line);
}

Result<nlohmann::json> Client::next_answer(Milliseconds timeout) {
  return answer_in(lines_.read_line(kMaxAnswerBytes, timeout));
}

}  // namespace dmremap::control
