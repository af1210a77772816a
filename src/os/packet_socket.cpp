// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/packet_socket.hpp"

#include <cerrno>
#include <cstring>

#include <sys/socket.h>
#include <sys/uio.h>

#include "base/assert.hpp"

namespace dmremap::os {

namespace {

constexpr std::size_t kPassedBytes = kMostPassed * sizeof(int);

// The memory for the descriptors that travel with a message (cmsg(3)).
struct alignas(cmsghdr) Ancillary {
  std::array<char, CMSG_SPACE(kPassedBytes)> bytes{};
};

// Takes over the descriptors that came with a message.
void take_passed(msghdr& header, PassedDescriptors& out) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof fd, sizeof fd);
      FileDescriptor passed(fd);
      if (i < out.size()) out[i] = std::move(passed);
    }
  }
}

}  // namespace

Result<PacketSockets> make_packet_sockets() {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return fail_errno(errno, "make a pair of sockets", {});
  }
  return PacketSockets{FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

bool send_packet(int socket, std::span<const std::byte> message, std::span<const int> descriptors) {
  DMREMAP_ASSERT(descriptors.size() <= kMostPassed);
  ssize_t put = 0;
  do {
    if (descriptors.empty()) {
      put = ::send(socket, message.data(), message.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
      continue;
    }
    Ancillary ancillary;
    iovec bytes{const_cast<std::byte*>(message.data()), message.size()};
    msghdr header{};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = ancillary.bytes.data();
    header.msg_controllen = CMSG_SPACE(descriptors.size_bytes());
    cmsghdr* const part = CMSG_FIRSTHDR(&header);
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(descriptors.size_bytes());
    std::memcpy(CMSG_DATA(part), descriptors.data(), descriptors.size_bytes());
    put = ::sendmsg(socket, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
  } while (put < 0 && errno == EINTR);
  return put == static_cast<ssize_t>(message.size());
}

bool receive_packet(int socket, std::span<std::byte> message, PassedDescriptors* passed) {
  if (passed == nullptr) {
    ssize_t got = 0;
    do {
      // The whole length, also of a message that is longer. The kernel closes what comes along.
      got = ::recv(socket, message.data(), message.size(), MSG_TRUNC);
    } while (got < 0 && errno == EINTR);
    return got == static_cast<ssize_t>(message.size());
  }
  Ancillary ancillary;
  iovec bytes{message.data(), message.size()};
  msghdr header{};
  ssize_t got = 0;
  do {
    header = {};
    header.msg_iov = &bytes;
    header.msg_iovlen = 1;
    header.msg_control = ancillary.bytes.data();
    header.msg_controllen = ancillary.bytes.size();
    got = ::recvmsg(socket, &header, MSG_CMSG_CLOEXEC);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return false;
  take_passed(header, *passed);
  return got == static_cast<ssize_t>(message.size()) && (header.msg_flags & MSG_TRUNC) == 0;
}

}  // namespace dmremap::os
