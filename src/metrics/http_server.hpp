// SPDX-License-Identifier: GPL-2.0-or-later
// Hands out one text by HTTP, at /metrics (libmicrohttpd; docs/decisions/022-http-for-metrics.md).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/result.hpp"

namespace dmremap::metrics {

class HttpServer {
 public:
  // Listens at once, with threads of its own. `address` is ADDRESS:PORT, [ADDRESS]:PORT, or a PORT
  // of the loopback address; port 0 is any that is free. `make_text` is called for each request, by
  // one thread at a time; requests that come while it works get the text that it makes.
  //
  // Errors: usage (no such address); those of bind(2), such as a port that is in use; not_supported
  // (the library is not installed).
  static Result<HttpServer> start(const std::string& address,
                                  std::function<std::string()> make_text);
  // Ends all connections.
  ~HttpServer();
  HttpServer(HttpServer&&) noexcept;
  HttpServer& operator=(HttpServer&&) noexcept;

  // "http://127.0.0.1:9732/metrics".
  [[nodiscard]] const std::string& url() const;

 private:
  struct State;
  explicit HttpServer(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace dmremap::metrics
