// SPDX-License-Identifier: GPL-2.0-or-later
// The other end: asks a running set.
#pragma once

#include <chrono>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "control/protocol.hpp"
#include "os/line_socket.hpp"

namespace dmremap::control {

// Used by one thread at a time.
class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Errors: not_running (also for the socket of a dead run); permission if someone else answers.
  static Result<Client> connect(const std::string& socket_path);

  // Asks, and waits for the answer. `data` is a descriptor that goes with the request, or -1.
  // Errors: those of the set; timeout; not_running if it ends without an answer; protocol.
  template <typename Request>
  Result<typename Request::Reply> call(const Request& request, Milliseconds timeout,
                                       int data = -1) {
    return read<typename Request::Reply>(exchange(request_of(request), timeout, data));
  }
  // The next answer of a request that has several.
  template <typename Reply>
  Result<Reply> next(Milliseconds timeout) {
    return read<Reply>(next_answer(timeout));
  }

  // A request and its answer as they go over the socket.
  Result<nlohmann::json> exchange(const nlohmann::json& request, Milliseconds timeout,
                                  int data = -1);

 private:
  explicit Client(FileDescriptor socket) : lines_(std::move(socket)) {}
  Result<nlohmann::json> next_answer(Milliseconds timeout);

  template <typename Reply>
  static Result<Reply> read(const Result<nlohmann::json>& answer) {
    if (!answer) return failure_of(answer);
    return message_in<Reply>(*answer);
  }

  os::LineSocket lines_;
};

}  // namespace dmremap::control
