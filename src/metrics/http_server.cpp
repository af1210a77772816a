// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/http_server.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "base/file_descriptor.hpp"
#include "metrics/microhttpd.hpp"

namespace dmremap::metrics {

namespace {

using std::chrono::steady_clock;

constexpr unsigned kThreads = 4;
constexpr unsigned kMostConnections = 64;
constexpr unsigned kIdleSeconds = 30;
constexpr std::size_t kConnectionBytes = std::size_t{32} * 1024;
// Scrapers that come at the same time get the same text.
constexpr std::chrono::milliseconds kFresh{1000};
constexpr const char* kPath = "/metrics";
constexpr const char* kLoopback = "127.0.0.1";

struct Address {
  std::string host;
  std::string port;
};

std::optional<Address> parse_address(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  Address out;
  out.port = colon == std::string::npos ? text : text.substr(colon + 1);
  out.host = colon == std::string::npos ? "" : text.substr(0, colon);
  if (out.host.size() > 2 && out.host.front() == '[' && out.host.back() == ']') {
    out.host = out.host.substr(1, out.host.size() - 2);
  } else if (out.host.find(':') != std::string::npos) {
    return std::nullopt;  // where the port of an IPv6 address begins cannot be told
  }
  if (out.host.empty()) out.host = kLoopback;
  const bool digits = !out.port.empty() && out.port.size() <= 5 &&
                      out.port.find_first_not_of("0123456789") == std::string::npos;
  if (!digits || std::stoul(out.port) > 65535) return std::nullopt;
  return out;
}

Result<FileDescriptor> listen_at(const std::string& text) {
  const auto address = parse_address(text);
  if (!address) {
    return fail(ErrorCode::usage, "is no ADDRESS:PORT", text, "give one as 127.0.0.1:9732");
  }
  addrinfo wanted{};
  wanted.ai_socktype = SOCK_STREAM;
  wanted.ai_flags = AI_PASSIVE | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  if (const int error =
          ::getaddrinfo(address->host.c_str(), address->port.c_str(), &wanted, &found);
      error != 0) {
    return fail(ErrorCode::usage, ::gai_strerror(error), text, "give an address of this machine");
  }
  const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> owned(found, ::freeaddrinfo);
  FileDescriptor out(::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int yes = 1;
  if (!out.valid() || ::setsockopt(out.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) != 0 ||
      ::bind(out.get(), found->ai_addr, found->ai_addrlen) != 0 ||
      ::listen(out.get(), SOMAXCONN) != 0) {
    return fail_errno(errno, "listen there", text, "give another port, or end what has this one");
  }
  return out;
}

std::string url_of(int socket) {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  auto* const generic = reinterpret_cast<sockaddr*>(&bound);
  std::array<char, NI_MAXHOST> host{};
  std::array<char, NI_MAXSERV> port{};
  if (::getsockname(socket, generic, &size) != 0 ||
      ::getnameinfo(generic, size, host.data(), host.size(), port.data(), port.size(),
                    NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return kPath;
  }
  const bool six = bound.ss_family == AF_INET6;
  return fmt::format("http://{}{}{}:{}{}", six ? "[" : "", host.data(), six ? "]" : "", port.data(),
                     kPath);
}

// Makes the text anew if the last one is not fresh.
class FreshText {
 public:
  explicit FreshText(std::function<std::string()> make) : make_(std::move(make)) {}

  std::string get() {
    const std::lock_guard lock(mutex_);
    if (!made_ || steady_clock::now() - *made_ > kFresh) {
      text_ = make_();
      made_ = steady_clock::now();
    }
    return text_;
  }

 private:
  const std::function<std::string()> make_;
  std::mutex mutex_;
  std::optional<steady_clock::time_point> made_;
  std::string text_;
};

// What a request needs.
struct Service {
  Microhttpd library;
  FreshText text;

  MHD_Result answer(MHD_Connection* connection, unsigned status, std::string body,
                    const char* type) const {
    MHD_Response* const response =
        library.create_response_from_buffer(body.size(), body.data(), MHD_RESPMEM_MUST_COPY);
    if (response == nullptr) return MHD_NO;
    library.add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, type);
    if (status == MHD_HTTP_METHOD_NOT_ALLOWED) {
      library.add_response_header(response, MHD_HTTP_HEADER_ALLOW, "GET, HEAD");
    }
    const MHD_Result queued = library.queue_response(connection, status, response);
    library.destroy_response(response);
    return queued;
  }
};

// No exception may pass through libmicrohttpd, which is C.
MHD_Result on_request(void* closure, MHD_Connection* connection, const char* path,
                      const char* method, const char* /*version*/, const char* /*upload*/,
                      std::size_t* upload_bytes, void** /*of_request*/) {
  constexpr const char* kPlain = "text/plain; charset=utf-8";
  try {
    auto& service = *static_cast<Service*>(closure);
    *upload_bytes = 0;
    const std::string_view verb = method;
    if (verb != MHD_HTTP_METHOD_GET && verb != MHD_HTTP_METHOD_HEAD) {
      return service.answer(connection, MHD_HTTP_METHOD_NOT_ALLOWED, "only GET\n", kPlain);
    }
    if (std::string_view(path) != kPath) {
      return service.answer(connection, MHD_HTTP_NOT_FOUND, "only /metrics is here\n", kPlain);
    }
    return service.answer(connection, MHD_HTTP_OK, service.text.get(),
                          "text/plain; version=0.0.4; charset=utf-8");
  } catch (...) {
    return MHD_NO;
  }
}

}  // namespace

struct HttpServer::State {
  State(const Microhttpd& library, std::function<std::string()> make_text)
      : service{library, FreshText(std::move(make_text))} {}
  ~State() {
    if (daemon != nullptr) service.library.stop_daemon(daemon);  // closes the socket, too
  }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  Service service;
  MHD_Daemon* daemon = nullptr;
  std::string url;
};

Result<HttpServer> HttpServer::start(const std::string& address,
                                     std::function<std::string()> make_text) {
  auto socket = listen_at(address);
  if (!socket) return failure_of(socket);
  const auto library = Microhttpd::load();
  if (!library) return failure_of(library);
  auto state = std::make_unique<State>(*library, std::move(make_text));
  state->url = url_of(socket->get());
  state->daemon = library->start_daemon(
      MHD_USE_INTERNAL_POLLING_THREAD | MHD_USE_EPOLL, 0, nullptr, nullptr, &on_request,
      &state->service, MHD_OPTION_LISTEN_SOCKET, socket->get(), MHD_OPTION_THREAD_POOL_SIZE,
      kThreads, MHD_OPTION_CONNECTION_LIMIT, kMostConnections, MHD_OPTION_CONNECTION_TIMEOUT,
      kIdleSeconds, MHD_OPTION_CONNECTION_MEMORY_LIMIT, kConnectionBytes, MHD_OPTION_END);
  if (state->daemon == nullptr) return fail(ErrorCode::io, "the server did not start", address);
  (void)socket->release();
  return HttpServer(std::move(state));
}

HttpServer::HttpServer(std::unique_ptr<State> state) : state_(std::move(state)) {}
HttpServer::~HttpServer() = default;
HttpServer::HttpServer(HttpServer&&) noexcept = default;
HttpServer& HttpServer::operator=(HttpServer&&) noexcept = default;

const std::string& HttpServer::url() const {
  return state_->url;
}

}  // namespace dmremap::metrics
