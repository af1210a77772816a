// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/client.hpp"

#include <nlohmann/json.hpp>

#include "control/protocol.hpp"
#include "control/unix_socket.hpp"

namespace dmremap::control {

Result<Client> Client::connect(const std::string& socket_path) {
  auto socket = connect_to(socket_path);
  if (!socket) return tl::unexpected(socket.error());
  if (!is_peer_trusted(socket->get())) {
    return fail(ErrorCode::permission, "someone else answers on the control socket", socket_path,
                "set DMREMAP_RUNTIME_DIR to a directory of your own");
  }
  return Client(std::move(*socket));
}

Result<nlohmann::json> Client::call(const nlohmann::json& request, Milliseconds timeout) {
  // A failed write may have an answer waiting all the same ("too many clients at once").
  const auto sent = lines_.write_line(to_line(request), timeout);
  auto answer = next(timeout);
  if (!answer && !sent) return tl::unexpected(sent.error());
  return answer;
}

Result<nlohmann::json> Client::next(Milliseconds timeout) {
  const auto line = lines_.read_line(kMaxAnswerBytes, timeout);
  if (!line) return tl::unexpected(line.error());
  if (!line->has_value()) {
    return fail(ErrorCode::not_running, "the set ended", {}, "see `dmremap status`");
  }
  return parse_answer(**line);
}

}  // namespace dmremap::control
