// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/relay_server.hpp"

#include <array>
#include <cerrno>
#include <chrono>
#include <exception>
#include <span>
#include <utility>

#include <sys/socket.h>

#include "base/log.hpp"
#include "os/packet_socket.hpp"

namespace dmremap::nbd {

using Operation = RelayRequest::Operation;

struct RelayServer::Connection {
  Connection(Clients& all, ConnectedClient* one) : clients(all), client(one) {}
  ~Connection() { clients.leave(client); }
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  Clients& clients;
  ConnectedClient* client;
};

struct RelayServer::Link {
  std::shared_ptr<Connection> connection;
  FileDescriptor socket;
  os::SharedMemory memory;
  std::thread thread;
  std::atomic<bool> spent{false};  // its request was answered for the device
  std::atomic<bool> ended{false};
};

namespace {

// Tells the other side of a link, at the deadline, that its request failed.
class LateAnswer final : public remap::TimedCaller {
 public:
  LateAnswer(int socket, std::atomic<bool>& spent) : socket_(socket), spent_(spent) {}
  void expire() override {
    (void)os::send_message(socket_, RelayAnswer{.error = EIO, .spent = 1});
    spent_.store(true);
  }

 private:
  int socket_;
  std::atomic<bool>& spent_;
};

bool changes(const RelayRequest& request) {
  return request.operation == Operation::write || request.operation == Operation::trim ||
         request.operation == Operation::zero;
}

}  // namespace

RelayServer::RelayServer(NbdDisk& disk, Clients& clients, bool read_only)
    : disk_(disk), clients_(clients), read_only_(read_only) {}

RelayServer::~RelayServer() {
  end();
}

bool RelayServer::answer(int control) {
  ControlRequest request;
  if (!os::receive_message(control, request)) return false;
  if (request.version != kRelayVersion) {
    log(Severity::error, "the plugin of nbdkit is of another version than this program");
    return false;
  }
  PassedLink passed;
  ControlAnswer answer;
  try {
    answer = answer_to(request, passed);
  } catch (const std::exception& error) {
    log(Severity::error, error.what());  // no memory, or no more threads
    answer.error = EAGAIN;
    passed = {};
  }
  if (!passed.socket.valid()) return os::send_message(control, answer);
  return os::send_message(control, answer,
                          std::array<int, 2>{passed.socket.get(), passed.memory.get()});
}

ControlAnswer RelayServer::answer_to(const ControlRequest& request, PassedLink& passed) {
  using Kind = ControlRequest::Kind;
  forget_ended_links();
  ControlAnswer answer;
  if (request.kind == Kind::hello) {
    const BlockSizes sizes = disk_.block_sizes();
    answer.read_only = read_only_ ? 1 : 0;
    answer.size_bytes = disk_.size_bytes();
    answer.minimum_block = sizes.minimum;
    answer.preferred_block = sizes.preferred;
    answer.maximum_block = sizes.maximum;
    has_greeted_ = true;
    return answer;
  }
  const bool is_new = request.kind == Kind::open_connection;
  if (!has_greeted_ || (!is_new && request.kind != Kind::open_link)) {
    answer.error = EINVAL;
    return answer;
  }
  if (links_.size() >= (is_new ? kMostLinks : kMostFurtherLinks)) {
    answer.error = EAGAIN;
    return answer;
  }
  if (!is_new) {
    const auto known = connections_.find(request.connection);
    auto connection = known == connections_.end() ? nullptr : known->second.lock();
    if (connection) return open_link(std::move(connection), passed);
    answer.error = EINVAL;
    return answer;
  }
  ConnectedClient* const client = clients_.enter(request.client_pid);
  if (client == nullptr) {
    answer.error = ESHUTDOWN;
    return answer;
  }
  const auto connection = std::make_shared<Connection>(clients_, client);
  disk_.connect(client->heard);
  answer = open_link(connection, passed);
  answer.connection = ++last_connection_;
  if (answer.error == 0) connections_.emplace(last_connection_, connection);
  return answer;
}

ControlAnswer RelayServer::open_link(std::shared_ptr<Connection> connection, PassedLink& passed) {
  ControlAnswer answer;
  auto sockets = os::make_packet_sockets();
  auto shared = os::SharedMemory::make(kRelayBufferBytes);
  if (!sockets || !shared) {
    answer.error = EAGAIN;
    return answer;
  }
  Link& link = links_.emplace_back();
  link.connection = std::move(connection);
  link.socket = std::move(sockets->ours);
  FileDescriptor memory = shared->take_fd();
  link.memory = std::move(*shared);
  try {
    link.thread = std::thread([this, &link] { serve(link); });
  } catch (...) {
    links_.pop_back();
    throw;
  }
  passed = {std::move(sockets->theirs), std::move(memory)};
  return answer;
}

void RelayServer::serve(Link& link) {
  RelayRequest request;
  LateAnswer late(link.socket.get(), link.spent);
  remap::RequestTimer timer(disk_.engine());
  while (os::receive_message(link.socket.get(), request)) {
    RelayAnswer answer{.error = EIO};
    timer.begin(changes(request) ? disk_.blocks_of(request.offset, request.length) : SectorRange{},
                late);
    try {
      answer.error = perform(request, link, timer);
    } catch (const std::exception&) {
      // Whatever was thrown is a failed request.
    }
    if (!timer.claim()) break;
    // A peer that asks again without reading its answers is cut off when they fill the socket.
    if (!os::send_message(link.socket.get(), answer)) break;
  }
  // The peer must see an end. The descriptor is closed by the thread that may look at it.
  ::shutdown(link.socket.get(), SHUT_RDWR);
  link.connection.reset();
  { const os::SharedMemory unmapped = std::move(link.memory); }
  link.ended.store(true);
}

// Returns an errno.
int RelayServer::perform(const RelayRequest& request, Link& link, remap::RequestTimer& timer) {
  const std::uint64_t size = disk_.size_bytes();
  const bool is_transfer =
      request.operation == Operation::read || request.operation == Operation::write;
  if ((request.flags & ~RelayRequest::kAllFlags) != 0 || request.reserved != 0) return EINVAL;
  if (request.length > size || request.offset > size - request.length) return EINVAL;
  if (is_transfer && request.length > kRelayBufferBytes) return EINVAL;
  if (changes(request) && read_only_) return EROFS;
  if (request.length == 0 && request.operation != Operation::flush) return EINVAL;

  const bool fua = (request.flags & RelayRequest::kFua) != 0;
  remap::FlushHeard& heard = link.connection->client->heard;
  const std::span<std::byte> data =
      is_transfer ? link.memory.span().first(request.length) : std::span<std::byte>();
  switch (request.operation) {
    case Operation::read:
      return disk_.read(request.offset, data);
    case Operation::write:
      return disk_.write(request.offset, data, fua, &timer);
    case Operation::flush:
      return disk_.flush(heard, &timer);
    case Operation::trim:
      return disk_.trim(request.offset, request.length, fua, heard, &timer);
    case Operation::zero:
      return disk_.zero(request.offset, request.length,
                        {.may_trim = (request.flags & RelayRequest::kMayTrim) != 0,
                         .fast = (request.flags & RelayRequest::kFastZero) != 0,
                         .fua = fua},
                        heard, &timer);
  }
  return EINVAL;  // any number may have come
}

void RelayServer::forget_ended_links() {
  for (auto link = links_.begin(); link != links_.end();) {
    if (!link->ended.load()) {
      ++link;
      continue;
    }
    link->thread.join();
    link = links_.erase(link);
  }
  std::erase_if(connections_, [](const auto& entry) { return entry.second.expired(); });
}

// A request that was given up is overdue: what comes later goes round it.
void RelayServer::settle() {
  for (const Link& link : links_) ::shutdown(link.socket.get(), SHUT_RDWR);
  for (const Link& link : links_) {
    // It is polled for: nothing has to be quick here.
    while (!link.ended.load() && !link.spent.load()) {
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
  }
  forget_ended_links();
}

void RelayServer::end() {
  for (const Link& link : links_) ::shutdown(link.socket.get(), SHUT_RDWR);
  for (Link& link : links_) link.thread.join();
  links_.clear();
  connections_.clear();
}

}  // namespace dmremap::nbd
