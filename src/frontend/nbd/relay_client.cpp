// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/relay_client.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "os/packet_socket.hpp"

namespace dmremap::nbd {

using Operation = RelayRequest::Operation;

// ESHUTDOWN also for an answer that makes no sense.
ControlAnswer RelayClient::ask(const ControlRequest& request, Link* link) {
  const std::lock_guard<std::mutex> lock(mutex_);
  ControlAnswer answer;
  os::PassedDescriptors passed;
  if (!os::send_message(control_.get(), request) ||
      !os::receive_message(control_.get(), answer, &passed)) {
    answer.error = ESHUTDOWN;
    return answer;
  }
  if (answer.error != 0 || link == nullptr) return answer;
  auto memory = os::SharedMemory::adopt(std::move(passed[1]), kRelayBufferBytes);
  if (!passed[0].valid() || !memory) {
    answer.error = ESHUTDOWN;
    return answer;
  }
  link->socket = std::move(passed[0]);
  link->memory = std::move(*memory);
  (void)link->memory.take_fd();  // closes it
  return answer;
}

Result<void> RelayClient::greet() {
  const ControlAnswer answer = ask({}, nullptr);
  if (answer.error != 0) {
    return fail(
        ErrorCode::not_running, "the process of the set does not answer", {},
        "this plugin is for `dmremap start --export nbd`; by hand there is `nbdkit dmremap`");
  }
  if (answer.version != kRelayVersion) {
    return fail(ErrorCode::protocol, "the process of the set is of another version", {},
                "start the set again");
  }
  disk_ = {.size_bytes = answer.size_bytes,
           .sizes = {.minimum = answer.minimum_block,
                     .preferred = answer.preferred_block,
                     .maximum = answer.maximum_block},
           .read_only = answer.read_only != 0};
  return {};
}

tl::expected<std::unique_ptr<RelayConnection>, int> RelayClient::connect(std::int64_t client_pid) {
  ControlRequest request;
  request.kind = ControlRequest::Kind::open_connection;
  request.client_pid = client_pid;
  Link first;
  const ControlAnswer answer = ask(request, &first);
  if (answer.error != 0) return tl::unexpected(answer.error);
  return std::unique_ptr<RelayConnection>(
      new RelayConnection(*this, answer.connection, std::move(first)));
}

// A link, from when there is a free one until the end of the request.
class RelayConnection::LinkLease {
 public:
  explicit LinkLease(RelayConnection& connection)
      : connection_(connection), link_(connection.take()), was_given_(link_ != nullptr) {}
  ~LinkLease() {
    if (was_given_) connection_.give_back(std::move(link_));
  }
  LinkLease(const LinkLease&) = delete;
  LinkLease& operator=(const LinkLease&) = delete;

  [[nodiscard]] bool valid() const { return link_ != nullptr; }
  [[nodiscard]] std::byte* data() const { return link_->memory.span().data(); }

  int exchange(const RelayRequest& request) {
    if (!valid()) return ESHUTDOWN;
    RelayAnswer answer;
    if (os::send_message(link_->socket.get(), request) &&
        os::receive_message(link_->socket.get(), answer)) {
      if (answer.spent != 0) {
        link_.reset();
        connection_.may_have_more();
      }
      return answer.error;
    }
    link_.reset();  // of no more use
    return ESHUTDOWN;
  }

 private:
  RelayConnection& connection_;
  std::unique_ptr<Link> link_;
  bool was_given_;
};

RelayConnection::RelayConnection(RelayClient& client, std::uint64_t number, Link first)
    : client_(client), number_(number) {
  free_.push_back(std::make_unique<Link>(std::move(first)));
}

std::unique_ptr<RelayClient::Link> RelayConnection::take() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (true) {
    if (!free_.empty()) {
      // The one used last: its memory is in the caches.
      auto link = std::move(free_.back());
      free_.pop_back();
      return link;
    }
    if (!may_have_more_) {
      if (links_ == 0) {
        // The next request asks again: links that a device kept may be free by then.
        may_have_more_ = true;
        return nullptr;
      }
      given_back_.wait(lock, [this] { return !free_.empty() || links_ == 0 || may_have_more_; });
      continue;
    }
    lock.unlock();
    auto further = open_further();
    lock.lock();
    if (further) {
      ++links_;
      return further;
    }
    may_have_more_ = false;
  }
}

void RelayConnection::may_have_more() {
  const std::lock_guard<std::mutex> lock(mutex_);
  may_have_more_ = true;
}

std::unique_ptr<RelayClient::Link> RelayConnection::open_further() {
  ControlRequest request;
  request.kind = ControlRequest::Kind::open_link;
  request.connection = number_;
  auto link = std::make_unique<Link>();
  if (client_.ask(request, link.get()).error != 0) return nullptr;
  return link;
}

// Null: the link that was taken is lost.
void RelayConnection::give_back(std::unique_ptr<Link> link) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (link) {
    free_.push_back(std::move(link));
  } else {
    --links_;
  }
  given_back_.notify_all();
}

// Parts after the first begin with a block, so that only the ends of a request are read first.
std::size_t RelayConnection::part_at(std::uint64_t offset, std::size_t left) const {
  const std::uint64_t block = client_.disk_.sizes.minimum;
  const std::uint64_t end = align_down(offset + kRelayBufferBytes, block);
  return std::min<std::size_t>(left, end - offset);
}

int RelayConnection::read(std::uint64_t offset, std::span<std::byte> out) {
  LinkLease lease(*this);
  while (!out.empty()) {
    const auto part = out.first(part_at(offset, out.size()));
    RelayRequest request;
    request.operation = Operation::read;
    request.offset = offset;
    request.length = static_cast<std::uint32_t>(part.size());
    if (const int error = lease.exchange(request); error != 0) return error;
    std::memcpy(part.data(), lease.data(), part.size());
    out = out.subspan(part.size());
    offset += part.size();
  }
  return 0;
}

int RelayConnection::write(std::uint64_t offset, std::span<const std::byte> data, bool fua) {
  LinkLease lease(*this);
  while (!data.empty()) {
    if (!lease.valid()) return ESHUTDOWN;
    const auto part = data.first(part_at(offset, data.size()));
    std::memcpy(lease.data(), part.data(), part.size());
    RelayRequest request;
    request.operation = Operation::write;
    request.flags = fua ? RelayRequest::kFua : 0U;
    request.offset = offset;
    request.length = static_cast<std::uint32_t>(part.size());
    if (const int error = lease.exchange(request); error != 0) return error;
    data = data.subspan(part.size());
    offset += part.size();
  }
  return 0;
}

int RelayConnection::request(const RelayRequest& request) {
  LinkLease lease(*this);
  return lease.exchange(request);
}

}  // namespace dmremap::nbd
