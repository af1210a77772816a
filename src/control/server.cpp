// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/server.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <list>
#include <thread>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.hpp"
#include "base/log.hpp"
#include "base/parse.hpp"
#include "control/protocol.hpp"
#include "control/table_json.hpp"
#include "os/json_line.hpp"
#include "os/line_socket.hpp"
#include "os/unix_socket.hpp"
#include "set/status.hpp"

namespace dmremap::control {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

// A client that says nothing, or does not take its answer, for this long is let go.
constexpr milliseconds kPatience{30'000};
constexpr milliseconds kFollowStep{500};

std::uint64_t number_at(const json& request, const char* key) {
  const auto at = request.find(key);
  return at != request.end() && at->is_number_unsigned() ? at->get<std::uint64_t>() : 0;
}

json answer_events(const std::vector<format::Event>& events) {
  json answer = make_answer();
  answer["events"] = json::array();
  for (const format::Event& event : events) answer["events"].push_back(set::to_json(event));
  return answer;
}

// Empty: it is none.
SectorRange range_in(const json& request) {
  const SectorRange range{{number_at(request, "first")}, {number_at(request, "count")}};
  const bool fits = range.count.value <= kAddressLimitSectors &&
                    range.first.value <= kAddressLimitSectors - range.count.value;
  return fits ? range : SectorRange{};
}

json answer_no_range() {
  return make_answer(Error{ErrorCode::usage, "not a range", {}, "give SECTOR or SECTOR+COUNT"});
}

json answer_unremap(Service& service, const json& request, const StopCondition& stop) {
  const SectorRange range = range_in(request);
  if (range.empty()) return answer_no_range();
  const auto done = service.unremap(range, stop);
  if (!done) return make_answer(done.error());
  json answer = make_answer();
  answer["returned_sectors"] = done->returned.value;
  answer["kept_sectors"] = done->kept.value;
  answer["untouched_sectors"] = done->untouched.value;
  answer["first_kept_sector"] = done->first_kept.value;
  answer["errno"] = done->error;
  return answer;
}

json answer_mark(Service& service, const json& request) {
  const auto lost = ranges_from_json(request.value("lost", json::array()));
  const auto suspect = ranges_from_json(request.value("suspect", json::array()));
  const auto dry_run = request.find("dry_run");
  if (!lost || !suspect || (dry_run != request.end() && !dry_run->is_boolean())) {
    return make_answer(Error{ErrorCode::protocol, "not a list of sectors", {}, {}});
  }
  const auto done =
      service.mark_known_bad({*lost, *suspect}, dry_run != request.end() && dry_run->get<bool>());
  if (!done) return make_answer(done.error());
  json answer = make_answer();
  answer["lost_sectors"] = done->lost.value;
  answer["suspect_sectors"] = done->suspect.value;
  answer["unchanged_sectors"] = done->unchanged.value;
  return answer;
}

json answer_backfill(Service& service, const json& request) {
  const auto ranges = ranges_from_json(request.value("ranges", json::array()));
  const auto text = request.find("data");
  const auto gone = request.find("gone");
  const auto as_of = request.find("as_of");
  const bool fine = ranges && text != request.end() && text->is_string() &&
                    as_of != request.end() && as_of->is_number_unsigned() &&
                    (gone == request.end() || gone->is_boolean());
  const auto data = fine ? from_base64(text->get_ref<const std::string&>()) : std::nullopt;
  if (!data) return make_answer(Error{ErrorCode::protocol, "not a backfill", {}, {}});
  const auto done = service.backfill(
      {*ranges, *data, as_of->get<std::uint64_t>(), gone != request.end() && gone->get<bool>()});
  if (!done) return make_answer(done.error());
  json answer = make_answer();
  answer["filled_sectors"] = done->filled.value;
  answer["kept_gone_sectors"] = done->kept_gone.value;
  answer["unchanged_sectors"] = done->unchanged.value;
  return answer;
}

json answer_settle(Service& service) {
  const auto moment = service.settle();
  if (!moment) return make_answer(moment.error());
  json answer = make_answer();
  answer["run"] = to_string(moment->run);
  answer["writes"] = moment->writes;
  return answer;
}

json answer_copied(Service& service, const json& request) {
  const auto left_out = ranges_from_json(request.value("left_out", json::array()));
  const auto text = request.find("run");
  const auto run = text != request.end() && text->is_string()
                       ? parse_uuid(text->get_ref<const std::string&>())
                       : std::nullopt;
  const auto writes = request.find("writes");
  if (!left_out || !run || writes == request.end() || !writes->is_number_unsigned()) {
    return make_answer(Error{ErrorCode::protocol, "does not say of a copy", {}, {}});
  }
  const auto noted = service.note_copy({{*run, writes->get<std::uint64_t>()}, *left_out});
  return noted ? make_answer() : make_answer(noted.error());
}

json answer_extents(Service& service) {
  const auto map = service.disk_map();
  if (!map) return make_answer(map.error());
  json answer = make_answer();
  answer["unit_sectors"] = map->unit.value;
  answer["sequence"] = map->sequence;
  answer["size_sectors"] = map->size.value;
  answer["extents"] = to_json(map->extents);
  answer["evidence"] = evidence_to_json(map->extents);
  answer["failing"] = to_json(map->failing);
  return answer;
}

json answer_remap(Service& service, const json& request, const StopCondition& stop) {
  const SectorRange range = range_in(request);
  if (range.empty()) return answer_no_range();
  const auto done = service.relocate(range, stop);
  if (!done) return make_answer(done.error());
  json answer = make_answer();
  answer["relocated_sectors"] = done->relocated.value;
  answer["lost_sectors"] = done->lost.value;
  answer["untouched_sectors"] = done->untouched.value;
  return answer;
}

// One connection, in a thread of its own.
class Connection {
 public:
  Connection(FileDescriptor socket, int wake_fd, Service& service)
      : lines_(std::move(socket), wake_fd), service_(service) {}

  void run() {
    while (true) {
      const auto line = lines_.read_line(kMaxRequestBytes, kPatience);
      if (!line) {
        // Best effort: the client may be the reason why.
        if (line.error().code == ErrorCode::protocol) (void)send(make_answer(line.error()));
        return;
      }
      if (!line->has_value()) return;
      const auto request = parse_request(**line);
      if (!request) {
        if (!send(make_answer(request.error()))) return;
      } else if (!handle(*request)) {
        return;
      }
    }
  }

 private:
  bool send(const json& answer) {
    return lines_.write_line(os::to_line(answer), kPatience).has_value();
  }

  // False: the connection is done.
  bool handle(const json& request) {
    const std::string verb = request["verb"];
    const StopCondition unheard = [this] { return lines_.is_hung_up() || lines_.is_woken(); };
    if (verb == "ping") return send(make_answer());
    if (verb == "status") {
      json answer = make_answer();
      answer["status"] = service_.status();
      return send(answer);
    }
    if (verb == "remap") return send(answer_remap(service_, request, unheard));
    if (verb == "unremap") return send(answer_unremap(service_, request, unheard));
    if (verb == "mark") return send(answer_mark(service_, request));
    if (verb == "backfill") return send(answer_backfill(service_, request));
    if (verb == "settle") return send(answer_settle(service_));
    if (verb == "copied") return send(answer_copied(service_, request));
    if (verb == "extents") return send(answer_extents(service_));
    if (verb == "stop") {
      const auto stopped = service_.stop();
      return send(stopped ? make_answer() : make_answer(stopped.error()));
    }
    if (verb == "events") return handle_events(request);
    return send(make_answer(Error{ErrorCode::protocol, "an unknown verb", verb, {}}));
  }

  bool handle_events(const json& request) {
    std::uint64_t after = number_at(request, "after");
    const auto follow = request.find("follow");
    const bool follows = follow != request.end() && follow->is_boolean() && follow->get<bool>();
    auto events = service_.events(after, milliseconds(0));
    // The first batch goes out even if it is empty, so that a follower knows it is heard.
    if (!send(answer_events(events))) return false;
    while (follows) {
      if (!events.empty()) after = events.back().number;
      events = service_.events(after, kFollowStep);
      if (!events.empty() && !send(answer_events(events))) return false;
      if (lines_.is_hung_up() || lines_.is_woken()) return false;
    }
    return true;
  }

  os::LineSocket lines_;
  Service& service_;
};

class UnixServer final : public Server {
 public:
  UnixServer(std::string path, FileDescriptor listener, FileDescriptor wake, Service& service)
      : path_(std::move(path)),
        listener_(std::move(listener)),
        wake_(std::move(wake)),
        service_(service),
        acceptor_([this] { accept_clients(); }) {}

  UnixServer(const UnixServer&) = delete;
  UnixServer& operator=(const UnixServer&) = delete;

  ~UnixServer() override {
    const std::uint64_t one = 1;
    // Never full, so never short: it is written once.
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof one);
    acceptor_.join();
    for (Client& client : clients_) client.thread.join();
    ::unlink(path_.c_str());
  }

 private:
  struct Client {
    std::atomic<bool> done = false;
    std::thread thread;
  };

  void accept_clients() {
    while (true) {
      std::array<pollfd, 2> fds{{{listener_.get(), POLLIN, 0}, {wake_.get(), POLLIN, 0}}};
      if (::poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) return;
      if (fds[1].revents != 0) return;
      if (fds[0].revents == 0) continue;
      FileDescriptor socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC));
      if (socket.valid()) {
        admit(std::move(socket));
      } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        // The connection stays in the queue: without a pause this would spin.
        std::this_thread::sleep_for(milliseconds(100));
      }
    }
  }

  void admit(FileDescriptor socket) {
    clients_.remove_if([](Client& client) {
      if (!client.done.load()) return false;
      client.thread.join();
      return true;
    });
    if (!os::is_peer_trusted(socket.get())) return;
    if (clients_.size() >= kMaxClients) {
      const Error busy{ErrorCode::timeout, "too many clients at once", {}, "try again"};
      (void)os::LineSocket(std::move(socket))
          .write_line(os::to_line(make_answer(busy)), milliseconds(100));
      return;
    }
    Client& client = clients_.emplace_back();
    try {
      client.thread = std::thread(
          [this, &client, held = std::move(socket)]() mutable { serve(client, std::move(held)); });
    } catch (const std::system_error& error) {
      clients_.pop_back();
      log(Severity::warning, std::string("control: no thread for a client: ") + error.what());
    }
  }

  void serve(Client& client, FileDescriptor socket) {
    try {
      Connection(std::move(socket), wake_.get(), service_).run();
    } catch (const std::exception& error) {
      log(Severity::error, std::string("control: a request failed: ") + error.what());
    }
    client.done.store(true);
  }

  std::string path_;
  FileDescriptor listener_;
  FileDescriptor wake_;
  Service& service_;
  std::list<Client> clients_;  // the acceptor's, and the destructor's after it ended
  std::thread acceptor_;
};

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const std::string& socket_path, Service& service) {
  auto listener = os::listen_at(socket_path);
  if (!listener) return tl::unexpected(listener.error());
  FileDescriptor wake(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!wake.valid()) return fail_errno(errno, "make an eventfd", socket_path);
  return std::make_unique<UnixServer>(socket_path, std::move(*listener), std::move(wake), service);
}

}  // namespace dmremap::control
