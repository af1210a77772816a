// SPDX-License-Identifier: GPL-2.0-or-later
#include "frontend/nbd/listening_socket.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string_view>

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "os/sysfs.hpp"

namespace dmremap::nbd {

namespace {

union Address {
  sockaddr any;
  sockaddr_un local;
  sockaddr_in four;
  sockaddr_in6 six;
};

bool is_listening(int fd) {
  int listening = 0;
  socklen_t size = sizeof listening;
  return ::getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && listening != 0;
}

std::string printed(int family, const void* address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const char* made = ::inet_ntop(family, address, text.data(), text.size());
  return made == nullptr ? std::string("?") : std::string(made);
}

ListeningSocket described(const Address& address) {
  switch (address.any.sa_family) {
    case AF_UNIX: {
      const std::string bound(address.local.sun_path,
                              ::strnlen(address.local.sun_path, sizeof address.local.sun_path));
      const std::string path = std::filesystem::path(bound).lexically_normal();
      return {unix_uri(path), path, -1};
    }
    case AF_INET:
      return {fmt::format("nbd://{}:{}", printed(AF_INET, &address.four.sin_addr),
                          ntohs(address.four.sin_port)),
              {},
              -1};
    case AF_INET6:
      return {fmt::format("nbd://[{}]:{}", printed(AF_INET6, &address.six.sin6_addr),
                          ntohs(address.six.sin6_port)),
              {},
              -1};
    default:
      return {};
  }
}

}  // namespace

std::vector<ListeningSocket> listening_sockets() {
  std::vector<int> fds;
  for (const std::string& name : os::names_in("/proc/self/fd")) {
    int fd = -1;
    if (std::from_chars(name.data(), name.data() + name.size(), fd).ec != std::errc{}) continue;
    if (is_listening(fd)) fds.push_back(fd);
  }
  std::ranges::sort(fds);
  std::vector<ListeningSocket> found;
  for (const int fd : fds) {
    Address address{};
    socklen_t size = sizeof address;
    if (::getsockname(fd, &address.any, &size) != 0) continue;
    ListeningSocket one = described(address);
    one.fd = fd;
    if (!one.uri.empty()) found.push_back(std::move(one));
  }
  return found;
}

std::string unix_uri(const std::string& socket_path) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/";
  std::string out = "nbd+unix:///?socket=";
  for (const char c : socket_path) {
    if (kPlain.find(c) != std::string_view::npos) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<std::uint8_t>(c));
    }
  }
  return out;
}

}  // namespace dmremap::nbd
