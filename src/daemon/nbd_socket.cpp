// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/nbd_socket.hpp"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <thread>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "os/trusted_directory.hpp"

namespace dmremap::daemon {

namespace fs = std::filesystem;

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

constexpr int kBacklog = SOMAXCONN;
// The nbdkit of a process that was killed ends by itself, a little later (src/plugin/relay.cpp).
constexpr milliseconds kEndOfServer{5000};
constexpr milliseconds kLookAgain{100};

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return fail(
        ErrorCode::usage,
        fmt::format("the name of a socket has at most {} bytes", sizeof address.sun_path - 1), path,
        "name a shorter one with --socket");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* generic(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

FileDescriptor make_socket() {
  return FileDescriptor(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

bool somebody_listens(const sockaddr_un& address) {
  const FileDescriptor probe = make_socket();
  return ::connect(probe.get(), generic(address), sizeof address) == 0 ||
         (errno != ECONNREFUSED && errno != ENOENT);
}

// Makes room for a socket: nothing is there, or a dead one, which is removed.
Result<void> clear(int directory, const std::string& name, const std::string& path,
                   const sockaddr_un& address) {
  struct stat st {};
  if (::fstatat(directory, name.c_str(), &st, AT_SYMLINK_NOFOLLOW) != 0) {
    if (errno == ENOENT) return {};
    return fail_errno(errno, "look at", path);
  }
  if (!S_ISSOCK(st.st_mode)) {
    return fail(ErrorCode::file_exists, "is there, and is no socket", path,
                "name another with --socket, or remove it");
  }
  // A server that ends removes its socket before it stops to listen (Relay::end_after_set in
  // src/plugin/relay.cpp), so a dead one that is still there is nobody's.
  const auto deadline = steady_clock::now() + kEndOfServer;
  while (somebody_listens(address)) {
    if (steady_clock::now() >= deadline) {
      return fail(ErrorCode::device_in_use, "somebody listens on this socket", path,
                  "name another with --socket");
    }
    std::this_thread::sleep_for(kLookAgain);
  }
  if (::unlinkat(directory, name.c_str(), 0) != 0 && errno != ENOENT) {
    return fail_errno(errno, "remove a dead socket", path);
  }
  return {};
}

}  // namespace

Result<NbdSocket> NbdSocket::listen_at(const std::string& wanted) {
  // The socket is made and removed by its path, so no other user may be able to exchange anything
  // on the way.
  const auto directory =
      os::TrustedDirectory::open_parent_of(wanted, os::PathTrust::no_foreign_changes);
  if (!directory) {
    Error error = directory.error();
    if (error.code == ErrorCode::no_such_device) error.code = ErrorCode::io;
    return tl::unexpected(std::move(error));
  }
  const std::string name = fs::path(wanted).filename().string();
  const std::string path = (fs::path(directory->path()) / name).string();
  const auto address = address_of(path);
  if (!address) return failure_of(address);
  if (auto cleared = clear(directory->fd(), name, path, *address); !cleared) {
    return failure_of(cleared);
  }
  FileDescriptor fd = make_socket();
  if (::bind(fd.get(), generic(*address), sizeof *address) != 0) {
    return fail_errno(errno, "make the socket", path);
  }
  NbdSocket made(std::move(fd), path);
  if (::listen(made.fd(), kBacklog) != 0) return fail_errno(errno, "listen", path);
  // Each nbdkit inherits the description, and waits in accept(2).
  const int flags = ::fcntl(made.fd(), F_GETFL);
  if (flags < 0 || ::fcntl(made.fd(), F_SETFL, flags & ~O_NONBLOCK) != 0) {
    return fail_errno(errno, "set up the socket", path);
  }
  return made;
}

NbdSocket::~NbdSocket() {
  remove();
}

NbdSocket::NbdSocket(NbdSocket&& other) noexcept
    : fd_(std::move(other.fd_)), path_(std::exchange(other.path_, {})) {}

void NbdSocket::remove() {
  if (!path_.empty()) ::unlink(path_.c_str());
  path_.clear();
}

}  // namespace dmremap::daemon
