// SPDX-License-Identifier: GPL-2.0-or-later
// Answers requests on a set's socket. What the requests do is the business of their handlers.
#pragma once

#include <atomic>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <thread>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"
#include "control/protocol.hpp"
#include "os/event_loop.hpp"
#include "os/line_socket.hpp"

namespace dmremap::control {

// A request that is being answered.
class Call {
 public:
  Call(os::LineSocket& lines, FileDescriptor data) : lines_(lines), data_(std::move(data)) {}

  // True once no one waits for the answer any more, because the client hung up or the server ends.
  // A long handler checks it between its steps and ends then.
  [[nodiscard]] bool is_abandoned() const;
  // A descriptor that came with the request; -1 if there was none. It may be any file that the
  // client could open.
  [[nodiscard]] int data() const { return data_.get(); }

  // False: the client is gone.
  template <typename Reply>
  bool send(const Reply& reply) {
    return send_line(answer_of(reply));
  }
  bool refuse(const Error& error) { return send_line(make_answer(error)); }

 private:
  bool send_line(const nlohmann::json& answer);

  os::LineSocket& lines_;
  FileDescriptor data_;
};

// The handler of each verb. They are called by several threads at once.
class Handlers {
 public:
  // Answers the request in the JSON. False: the connection is done.
  using Handler = std::function<bool(const nlohmann::json& request, Call& call)>;

  // `answer` is Result<Request::Reply>(const Request&, Call&).
  template <typename Request, typename Answer>
  void on(Answer answer) {
    add(Request::kVerb, [answer](const nlohmann::json& json, Call& call) {
      const auto request = message_in<Request>(json);
      if (!request) return call.refuse(request.error());
      const Result<typename Request::Reply> reply = answer(*request, call);
      return reply ? call.send(*reply) : call.refuse(reply.error());
    });
  }
  // A request with several answers, which it sends itself: `answer` is bool(const Request&, Call&),
  // false if the connection is done.
  template <typename Request, typename Answer>
  void on_stream(Answer answer) {
    add(Request::kVerb, [answer](const nlohmann::json& json, Call& call) {
      const auto request = message_in<Request>(json);
      return request ? answer(*request, call) : call.refuse(request.error());
    });
  }
  // Null: an unknown verb.
  [[nodiscard]] const Handler* find(std::string_view verb) const;

 private:
  void add(const char* verb, Handler handler) { by_verb_[verb] = std::move(handler); }

  std::map<std::string, Handler, std::less<>> by_verb_;
};

// The listening end, and a thread for each client.
class Server {
 public:
  // The most clients at a time; further ones are refused with an error.
  static constexpr unsigned kMaxClients = 16;

  // Listens at once. What the handlers use outlives the server.
  static Result<std::unique_ptr<Server>> start(const std::string& socket_path, Handlers handlers);
  // Ends every connection (an answer being made is still sent) and removes the socket.
  ~Server();

  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct ClientThread {
    std::atomic<bool> done = false;
    std::thread thread;
  };

  Server(std::string path, FileDescriptor listener, FileDescriptor wake, os::EventLoop loop,
         Handlers handlers);
  Result<void> watch();
  void accept_client();
  void admit(FileDescriptor socket);
  void serve(ClientThread& client, FileDescriptor socket);

  const std::string path_;
  const FileDescriptor listener_;
  const FileDescriptor wake_;  // readable once the server ends
  const Handlers handlers_;
  os::EventLoop loop_;               // the acceptor's, once that runs
  std::list<ClientThread> clients_;  // the acceptor's, and the destructor's after it ended
  std::thread acceptor_;
};

}  // namespace dmremap::control
