// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/unix_socket.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

namespace dmremap::os {

namespace fs = std::filesystem;

namespace {

constexpr int kBacklog = 16;
// A process that was stopped (SIGSTOP) accepts nobody. Once its backlog is full, connect(2) would
// wait for it for ever.
constexpr timeval kConnectTime{5, 0};

// An address that fits sun_path, which holds 107 bytes. It leads through an open descriptor of the
// directory, so that it is short even if the real path is long.
struct ShortAddress {
  FileDescriptor directory;
  sockaddr_un address{};
};

Result<ShortAddress> short_address(const std::string& path) {
  const fs::path full(path);
  ShortAddress made;
  made.directory =
      FileDescriptor(::open(full.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!made.directory.valid()) return fail_errno(errno, "open", full.parent_path());
  const std::string text =
      fmt::format("/proc/self/fd/{}/{}", made.directory.get(), full.filename().string());
  if (text.size() >= sizeof made.address.sun_path) {
    return fail(ErrorCode::io, "the name of the socket is too long", path);
  }
  made.address.sun_family = AF_UNIX;
  std::copy(text.begin(), text.end(), made.address.sun_path);
  return made;
}

const sockaddr* generic(const ShortAddress& address) {
  return reinterpret_cast<const sockaddr*>(&address.address);
}

FileDescriptor make_socket() {
  return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
}

}  // namespace

Result<FileDescriptor> listen_at(const std::string& path) {
  auto address = short_address(path);
  if (!address) return failure_of(address);
  FileDescriptor made = make_socket();
  if (!made.valid()) return fail_errno(errno, "make a socket", path);
  const std::string name = fs::path(path).filename().string();
  if (::unlinkat(address->directory.get(), name.c_str(), 0) != 0 && errno != ENOENT) {
    return fail_errno(errno, "remove the socket of a dead run", path);
  }
  // The file takes the mode that the socket has when it is bound (Linux, net/unix/af_unix.c,
  // unix_bind): no second look at the path, which could be another file's by then.
  if (::fchmod(made.get(), 0600) != 0 ||
      ::bind(made.get(), generic(*address), sizeof address->address) != 0 ||
      ::listen(made.get(), kBacklog) != 0) {
    return fail_errno(errno, "listen on the control socket", path);
  }
  const int flags = ::fcntl(made.get(), F_GETFL);
  if (flags < 0 || ::fcntl(made.get(), F_SETFL, flags | O_NONBLOCK) != 0) {
    return fail_errno(errno, "set up the control socket", path);
  }
  return made;
}

Result<FileDescriptor> connect_to(const std::string& path) {
  auto address = short_address(path);
  FileDescriptor made = make_socket();
  if (!address || !made.valid() ||
      ::setsockopt(made.get(), SOL_SOCKET, SO_SNDTIMEO, &kConnectTime, sizeof kConnectTime) != 0 ||
      ::connect(made.get(), generic(*address), sizeof address->address) != 0) {
    const int error = errno;
    if (!address || error == ENOENT || error == ECONNREFUSED || error == ENOTSOCK) {
      return fail(ErrorCode::not_running, "nobody listens there", path);
    }
    if (error == EAGAIN) return fail(ErrorCode::timeout, "takes no more clients", path);
    return fail_errno(error, "connect to the control socket", path);
  }
  return made;
}

bool is_peer_trusted(int socket) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  return peer.uid == 0 || peer.uid == ::geteuid();
}

}  // namespace dmremap::os
