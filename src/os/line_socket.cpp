// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/line_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>

#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

namespace dmremap::os {

using std::chrono::steady_clock;

Result<void> LineSocket::wait_for(short events, Deadline deadline) const {
  while (true) {
    const auto left = std::chrono::duration_cast<Milliseconds>(deadline - steady_clock::now());
    std::array<pollfd, 2> fds{{{socket_.get(), events, 0}, {wake_fd_, POLLIN, 0}}};
    const int wait_ms = static_cast<int>(std::clamp<std::int64_t>(left.count(), 0, 3'600'000));
    const int ready = ::poll(fds.data(), fds.size(), wait_ms);
    if (ready < 0 && errno != EINTR) return fail_errno(errno, "wait for the socket", {});
    if (ready < 0) continue;
    // A stop of the server goes before data: a client that keeps sending must not delay it.
    if (fds[1].revents != 0) return fail(ErrorCode::not_running, "the server is being stopped");
    if (fds[0].revents != 0) return {};
    if (steady_clock::now() >= deadline) return fail(ErrorCode::timeout, "no answer in time");
  }
}

Result<std::optional<std::string>> LineSocket::read_line(std::size_t max_bytes,
                                                         Milliseconds timeout) {
  const Deadline deadline = steady_clock::now() + timeout;
  // `searched` bytes are known to contain no line end, so that a long line is searched only once.
  std::size_t searched = 0;
  while (true) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos && end <= max_bytes) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    if (buffer_.size() > max_bytes) return fail(ErrorCode::protocol, "the line is too long");
    searched = buffer_.size();

    if (auto ready = wait_for(POLLIN, deadline); !ready) return failure_of(ready);
    std::array<char, 16384> chunk;
    const ssize_t got = receive(chunk);
    if (got == 0) return std::optional<std::string>();
    if (got > 0) {
      buffer_.append(chunk.data(), static_cast<std::size_t>(got));
    } else if (errno == ECONNRESET) {
      return std::optional<std::string>();
    } else if (errno != EAGAIN && errno != EINTR) {
      return fail_errno(errno, "read from the socket", {});
    }
  }
}

ssize_t LineSocket::receive(std::span<char> into) {
  iovec text{into.data(), into.size()};
  // Has room for one descriptor. The kernel closes any further ones.
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = CMSG_LEN(sizeof(int));
  const ssize_t got = ::recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (got < 0) return got;
  const cmsghdr* const header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len == CMSG_LEN(sizeof(int))) {
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(header), sizeof passed);
    descriptor_ = FileDescriptor(passed);
  }
  return got;
}

ssize_t LineSocket::send(std::string_view bytes, int descriptor) const {
  iovec text{const_cast<char*>(bytes.data()), bytes.size()};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message{};
  message.msg_iov = &text;
  message.msg_iovlen = 1;
  if (descriptor >= 0) {
    message.msg_control = control.data();
    message.msg_controllen = CMSG_LEN(sizeof(int));
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
  }
  return ::sendmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

Result<void> LineSocket::write_line(std::string_view line, Milliseconds timeout, int descriptor) {
  const Deadline deadline = steady_clock::now() + timeout;
  std::string out(line);
  out += '\n';
  std::string_view left = out;
  while (!left.empty()) {
    const ssize_t put = send(left, descriptor);
    if (put >= 0) {
      descriptor = -1;  // it goes with the first bytes
      left.remove_prefix(static_cast<std::size_t>(put));
    } else if (errno == EAGAIN) {
      if (auto ready = wait_for(POLLOUT, deadline); !ready) return ready;
    } else if (errno == EPIPE || errno == ECONNRESET) {
      return fail(ErrorCode::not_running, "the other side has gone");
    } else if (errno != EINTR) {
      return fail_errno(errno, "write to the socket", {});
    }
  }
  return {};
}

bool LineSocket::is_hung_up() const {
  pollfd fd{socket_.get(), POLLRDHUP, 0};
  return ::poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

bool LineSocket::is_woken() const {
  pollfd fd{wake_fd_, POLLIN, 0};
  return wake_fd_ >= 0 && ::poll(&fd, 1, 0) > 0;
}

}  // namespace dmremap::os
