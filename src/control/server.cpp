// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/server.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <exception>
#include <system_error>

#include <nlohmann/json.hpp>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/log.hpp"
#include "base/thread_name.hpp"
#include "os/json_line.hpp"
#include "os/unix_socket.hpp"

namespace dmremap::control {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// A client that says nothing, or does not take its answer, for this long is let go.
constexpr milliseconds kClientTimeout{30'000};

// One connection, served by a thread of its own.
class Connection {
 public:
  Connection(FileDescriptor socket, int wake_fd, const Handlers& handlers)
      : lines_(std::move(socket), wake_fd), handlers_(handlers) {}

  void run() {
    while (true) {
      const auto line = lines_.read_line(kMaxRequestBytes, kClientTimeout);
      // A descriptor that came with the request is closed after its answer.
      Call call(lines_, lines_.take_descriptor());
      if (!line) {
        // Best effort: the client may be the reason why.
        if (line.error().code == ErrorCode::protocol) (void)call.refuse(line.error());
        return;
      }
      if (!line->has_value() || !answer(**line, call)) return;
    }
  }

 private:
  // False: the connection is done.
  bool answer(const std::string& line, Call& call) {
    const auto request = parse_request(line);
    if (!request) return call.refuse(request.error());
    const std::string verb = (*request)["verb"];
    const Handlers::Handler* const handler = handlers_.find(verb);
    if (handler == nullptr) {
      return call.refuse(Error{ErrorCode::protocol, "an unknown verb", verb, {}});
    }
    return (*handler)(*request, call);
  }

  os::LineSocket lines_;
  const Handlers& handlers_;
};

}  // namespace

bool Call::is_abandoned() const {
  return lines_.is_hung_up() || lines_.is_woken();
}

bool Call::send_line(const json& answer) {
  return lines_.write_line(os::to_line(answer), kClientTimeout).has_value();
}

const Handlers::Handler* Handlers::find(std::string_view verb) const {
  const auto at = by_verb_.find(verb);
  return at == by_verb_.end() ? nullptr : &at->second;
}

Result<std::unique_ptr<Server>> Server::start(const std::string& socket_path, Handlers handlers) {
  auto listener = os::listen_at(socket_path);
  if (!listener) return failure_of(listener);
  FileDescriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return fail_errno(errno, "make an eventfd", socket_path);
  auto loop = os::EventLoop::make();
  if (!loop) return failure_of(loop);
  std::unique_ptr<Server> server(new Server(socket_path, std::move(*listener), std::move(wake),
                                            std::move(*loop), std::move(handlers)));
  if (auto watched = server->watch(); !watched) return failure_of(watched);
  server->acceptor_ = std::thread([raw = server.get()] {
    name_this_thread("control");
    if (auto ended = raw->loop_.run(); !ended) {
      log(Severity::error, "control: no more clients: " + ended.error().message());
    }
  });
  return server;
}

Server::Server(std::string path, FileDescriptor listener, FileDescriptor wake, os::EventLoop loop,
               Handlers handlers)
    : path_(std::move(path)),
      listener_(std::move(listener)),
      wake_(std::move(wake)),
      handlers_(std::move(handlers)),
      loop_(std::move(loop)) {}

Server::~Server() {
  const std::uint64_t one = 1;
  // Never full, so never short: it is written once.
  [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
  if (acceptor_.joinable()) acceptor_.join();
  for (ClientThread& client : clients_) client.thread.join();
  ::unlink(path_.c_str());
}

Result<void> Server::watch() {
  auto watched = loop_.on_readable(wake_.get(), [this] { loop_.end(); });
  return watched ? loop_.on_readable(listener_.get(), [this] { accept_client(); }) : watched;
}

void Server::accept_client() {
  FileDescriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (socket.valid()) {
    admit(std::move(socket));
  } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
    // The connection stays in the queue: without a pause this would spin.
    std::this_thread::sleep_for(milliseconds(100));
  }
}

void Server::admit(FileDescriptor socket) {
  // Threads of clients that have gone are joined here, before the clients are counted.
  clients_.remove_if([](ClientThread& client) {
    if (!client.done.load()) return false;
    client.thread.join();
    return true;
  });
  if (!os::is_peer_trusted(socket.get())) return;
  // The refusal gets a short timeout, because this thread accepts all clients.
  if (clients_.size() >= kMaxClients) {
    const Error busy{ErrorCode::timeout, "too many clients at once", {}, "try again"};
    os::LineSocket lines(std::move(socket));
    (void)lines.write_line(os::to_line(make_answer(busy)), milliseconds(100));
    return;
  }
  // The thread refers to its element of the list, which does not move.
  ClientThread& client = clients_.emplace_back();
  try {
    client.thread = std::thread(
        [this, &client, held = std::move(socket)]() mutable { serve(client, std::move(held)); });
  } catch (const std::system_error& error) {
    clients_.pop_back();
    log(Severity::warning, std::string("control: no thread for a client: ") + error.what());
  }
}

void Server::serve(ClientThread& client, FileDescriptor socket) {
  name_this_thread("client");
  // An exception ends this connection only; the other clients and the set go on.
  try {
    Connection(std::move(socket), wake_.get(), handlers_).run();
  } catch (const std::exception& error) {
    log(Severity::error, std::string("control: a request failed: ") + error.what());
  }
  client.done.store(true);
}

}  // namespace dmremap::control
