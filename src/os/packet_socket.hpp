// SPDX-License-Identifier: GPL-2.0-or-later
// Messages of a fixed size between two processes that share a pair of sockets (unix(7),
// SOCK_SEQPACKET): a message arrives whole or not at all, may carry descriptors, and the end of
// either process is the end of the connection for the other.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <type_traits>

#include "base/file_descriptor.hpp"
#include "base/result.hpp"

namespace dmremap::os {

struct PacketSockets {
  FileDescriptor ours;
  FileDescriptor theirs;
};
// Both ends are closed when a program is executed.
[[nodiscard]] Result<PacketSockets> make_packet_sockets();

// The most descriptors that a message carries.
inline constexpr std::size_t kMostPassed = 2;
using PassedDescriptors = std::array<FileDescriptor, kMostPassed>;

// Sends one message without waiting. False if the other side is gone, or does not take what was
// sent before. It gets copies of `descriptors`.
[[nodiscard]] bool send_packet(int socket, std::span<const std::byte> message,
                               std::span<const int> descriptors = {});
// Waits for a message of exactly this size. False if the other side is gone or sent a message of
// another size: the connection is of no more use then. The descriptors that came with it go to
// `passed`; without it, and beyond kMostPassed, they are closed.
[[nodiscard]] bool receive_packet(int socket, std::span<std::byte> message,
                                  PassedDescriptors* passed = nullptr);

template <typename Message>
[[nodiscard]] bool send_message(int socket, const Message& message,
                                std::span<const int> descriptors = {}) {
  static_assert(std::has_unique_object_representations_v<Message>, "no bytes of padding");
  return send_packet(socket, std::as_bytes(std::span(&message, 1)), descriptors);
}
template <typename Message>
[[nodiscard]] bool receive_message(int socket, Message& message,
                                   PassedDescriptors* passed = nullptr) {
  static_assert(std::is_trivially_copyable_v<Message>);
  return receive_packet(socket, std::as_writable_bytes(std::span(&message, 1)), passed);
}

}  // namespace dmremap::os
