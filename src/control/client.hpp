// SPDX-License-Identifier: GPL-2.0-or-later
// The other end: asks a running set.
#pragma once

#include <chrono>
#include <string>

#include <nlohmann/json.hpp>

#include "base/result.hpp"
#include "os/line_socket.hpp"

namespace dmremap::control {

// One thread at a time.
class Client {
 public:
  using Milliseconds = std::chrono::milliseconds;

  // Errors: not_running (also for the socket of a dead run); permission if someone else answers.
  static Result<Client> connect(const std::string& socket_path);

  // Errors: those of the set; timeout; not_running if it ends without an answer.
  Result<nlohmann::json> call(const nlohmann::json& request, Milliseconds timeout);
  // The next answer of a request that has several.
  Result<nlohmann::json> next(Milliseconds timeout);

 private:
  explicit Client(FileDescriptor socket) : lines_(std::move(socket)) {}
  os::LineSocket lines_;
};

}  // namespace dmremap::control
