// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/line_socket.hpp"

#include <algorithm>
#include <array>
#include <cerrno>

#include <poll.h>
#include <sys/socket.h>

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
    if (fds[1].revents != 0) return fail(ErrorCode::not_running, "the server is being stopped");
    if (fds[0].revents != 0) return {};
    if (steady_clock::now() >= deadline) return fail(ErrorCode::timeout, "no answer in time");
  }
}

Result<std::optional<std::string>> LineSocket::read_line(std::size_t max_bytes,
                                                         Milliseconds timeout) {
  const Deadline deadline = steady_clock::now() + timeout;
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

    if (auto ready = wait_for(POLLIN, deadline); !ready) return tl::unexpected(ready.error());
    std::array<char, 16384> chunk;
    const ssize_t got = ::recv(socket_.get(), chunk.data(), chunk.size(), MSG_DONTWAIT);
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

Result<void> LineSocket::write_line(std::string_view line, Milliseconds timeout) {
  const Deadline deadline = steady_clock::now() + timeout;
  std::string out(line);
  out += '\n';
  std::string_view left = out;
  while (!left.empty()) {
    const ssize_t put =
        ::send(socket_.get(), left.data(), left.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (put >= 0) {
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
