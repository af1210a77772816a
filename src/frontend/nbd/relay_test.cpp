// SPDX-License-Identifier: GPL-2.0-or-later
// Both ends of the relay in one process, over a disk in memory; and what an nbdkit that went mad
// may send.
#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/socket.h>

#include "frontend/nbd/relay_client.hpp"
#include "frontend/nbd/relay_server.hpp"
#include "os/packet_socket.hpp"
#include "tests/fuse/ram_disk.hpp"

namespace dmremap::nbd {
namespace {

using Operation = RelayRequest::Operation;
using Kind = ControlRequest::Kind;

constexpr std::uint64_t kDiskBytes = 8 * kMiB;
constexpr std::chrono::milliseconds kNow{0};
constexpr std::chrono::milliseconds kSoon{10'000};

RelayRequest request_of(Operation operation, std::uint64_t offset, std::uint32_t length,
                        std::uint32_t flags = 0) {
  RelayRequest request;
  request.operation = operation;
  request.offset = offset;
  request.length = length;
  request.flags = flags;
  return request;
}

// A server that answers as the process of a set does, until the other side is gone.
class RelayTest : public testing::Test {
 protected:
  explicit RelayTest(bool read_only = false) : server(disk, clients, read_only) {
    auto sockets = std::move(*os::make_packet_sockets());
    control = std::move(sockets.ours);
    nbdkit = std::move(sockets.theirs);
    answering = std::thread([this] {
      while (server.answer(control.get())) {
      }
      server.end();
      has_ended = true;
      control.reset();
    });
  }
  ~RelayTest() override {
    if (nbdkit.valid()) ::shutdown(nbdkit.get(), SHUT_RDWR);
    client.reset();
    answering.join();
  }

  // nbdkit's end as it should be.
  RelayClient& greeted() {
    client.emplace(std::move(nbdkit));
    const auto met = client->greet();
    EXPECT_TRUE(met) << met.error().message();
    return *client;
  }
  // What nbdkit may send of itself.
  ControlAnswer ask(Kind kind, os::PassedDescriptors* passed = nullptr,
                    std::uint64_t connection = 0) {
    ControlRequest request;
    request.kind = kind;
    request.connection = connection;
    ControlAnswer answer;
    EXPECT_TRUE(os::send_message(nbdkit.get(), request));
    EXPECT_TRUE(os::receive_message(nbdkit.get(), answer, passed));
    return answer;
  }
  FileDescriptor raw_link() {
    EXPECT_EQ(ask(Kind::hello).error, 0);
    os::PassedDescriptors passed;
    EXPECT_EQ(ask(Kind::open_connection, &passed).error, 0);
    return std::move(passed[0]);
  }
  static int exchange(int link, const RelayRequest& request) {
    RelayAnswer answer{-1};
    if (!os::send_message(link, request) || !os::receive_message(link, answer)) return -1;
    return answer.error;
  }

  fuse::RamDisk engine{{.size = SectorCount::from_bytes(kDiskBytes),
                        .logical_block_bytes = 512,
                        .physical_block_bytes = 4096}};
  NbdDisk disk{engine, true};
  Clients clients;
  RelayServer server;
  FileDescriptor control;
  FileDescriptor nbdkit;
  std::optional<RelayClient> client;
  std::atomic<bool> has_ended{false};
  std::thread answering;
};

class ReadOnlyRelayTest : public RelayTest {
 protected:
  ReadOnlyRelayTest() : RelayTest(true) {}
};

TEST_F(RelayTest, AConnectionReadsWhatItWroteAtAnyOffsetAndLength) {
  RelayClient& relay = greeted();
  EXPECT_EQ(relay.disk().size_bytes, kDiskBytes);
  EXPECT_EQ(relay.disk().sizes.minimum, 512U);
  EXPECT_FALSE(relay.disk().read_only);
  auto connection = std::move(*relay.connect(1));
  // The last is longer than a link's memory.
  for (const std::size_t length : {std::size_t{512}, std::size_t{777}, 3 * kMiB + 100}) {
    std::vector<std::byte> data(length);
    for (std::size_t i = 0; i < length; ++i) data[i] = std::byte(i % 251);
    EXPECT_EQ(connection->write(4097, data, false), 0);
    std::vector<std::byte> back(length);
    EXPECT_EQ(connection->read(4097, back), 0);
    EXPECT_TRUE(std::ranges::equal(back, data)) << length;
  }
}

TEST_F(RelayTest, TheDiskSeesAlignedMemoryWhateverTheServerUses) {
  auto connection = std::move(*greeted().connect(1));
  std::vector<std::byte> memory(2 * kMiB + 1);
  const auto data = std::span(memory).subspan(1);
  EXPECT_EQ(connection->write(4096, data, false), 0);
  EXPECT_EQ(connection->read(512, data), 0);
  EXPECT_EQ(engine.misaligned(), 0U);
}

TEST_F(RelayTest, FlagsAndErrnosComeThrough) {
  auto connection = std::move(*greeted().connect(1));
  std::vector<std::byte> data(4096, std::byte{1});
  EXPECT_EQ(connection->write(0, data, true), 0);
  EXPECT_EQ(engine.fua_writes(), 1U);
  EXPECT_EQ(connection->request(request_of(Operation::zero, 0, 4096)), EOPNOTSUPP);
  EXPECT_EQ(connection->request(request_of(Operation::zero, 0, 4096, RelayRequest::kMayTrim)), 0);
  engine.copy_out({0}, data);
  EXPECT_EQ(data[100], std::byte{0});
  EXPECT_EQ(connection->request(request_of(Operation::trim, 0, 4096, RelayRequest::kFua)), 0);
  EXPECT_EQ(engine.counts().flushes, 1U);
  engine.change_faults([](auto& faults) {
    faults.read = {{{0}, {8}}};
    faults.flush_error = EIO;
  });
  EXPECT_EQ(connection->read(0, data), EIO);
  EXPECT_EQ(connection->request(request_of(Operation::flush, 0, 0)), EIO);
}

TEST_F(RelayTest, RequestsOfOneConnectionRunAtTheSameTime) {
  auto connection = std::move(*greeted().connect(1));
  engine.change_faults([](auto& faults) {
    faults.slow = {{{0}, {64}}};
    faults.delay = std::chrono::milliseconds(200);
  });
  std::vector<std::thread> threads;
  for (std::uint64_t i = 0; i < 4; ++i) {
    threads.emplace_back([&connection, i] {
      std::vector<std::byte> data(4096);
      EXPECT_EQ(connection->read(i * 4096, data), 0);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(engine.busiest(), 1U);
}

TEST_F(RelayTest, AClientIsConnectedUntilItsLastLinkEnds) {
  RelayClient& relay = greeted();
  auto connection = std::move(*relay.connect(0));
  EXPECT_EQ(clients.names().size(), 1U);
  EXPECT_FALSE(clients.close(kNow));
  connection.reset();
  EXPECT_TRUE(clients.close(kSoon));
  const auto refused = relay.connect(0);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), ESHUTDOWN);
  clients.open_again();
  EXPECT_TRUE(relay.connect(0));
}

TEST_F(RelayTest, ARequestIsDoneThoughNbdkitDiedAfterItSentIt) {
  FileDescriptor link = raw_link();
  engine.change_faults([](auto& faults) {
    faults.slow = {{{0}, {8}}};
    faults.delay = std::chrono::milliseconds(200);
  });
  ASSERT_TRUE(os::send_message(link.get(), request_of(Operation::write, 0, 4096)));
  link.reset();
  ::shutdown(nbdkit.get(), SHUT_RDWR);
  EXPECT_TRUE(clients.close(kSoon));
  EXPECT_EQ(engine.counts().writes, 1U);
}

TEST_F(RelayTest, TheEndWaitsForRequestsUnderWay) {
  const FileDescriptor link = raw_link();
  engine.change_faults([](auto& faults) {
    faults.slow = {{{0}, {8}}};
    faults.delay = std::chrono::milliseconds(300);
  });
  ASSERT_TRUE(os::send_message(link.get(), request_of(Operation::read, 0, 4096)));
  while (engine.counts().reads == 0) std::this_thread::yield();
  EXPECT_FALSE(clients.close(kNow));
  ::shutdown(nbdkit.get(), SHUT_RDWR);
  while (!has_ended) std::this_thread::yield();
  EXPECT_TRUE(clients.close(kNow));
}

TEST_F(RelayTest, RequestsBeyondTheDiskOrTheMemoryAreRefused) {
  const FileDescriptor link = raw_link();
  constexpr std::uint64_t kHuge = ~std::uint64_t{0};
  for (const RelayRequest& bad : {
           request_of(Operation::read, kDiskBytes, 512),
           request_of(Operation::read, kDiskBytes - 512, 1024),
           request_of(Operation::write, kHuge - 511, 512),
           request_of(Operation::write, kHuge, 4096),
           request_of(Operation::read, 0, kRelayBufferBytes + 512),
           request_of(Operation::write, 0, ~0U),
           request_of(Operation::trim, 0, ~0U),
           request_of(Operation::zero, kDiskBytes, 1, RelayRequest::kMayTrim),
           request_of(Operation::flush, kHuge, 0),
           request_of(Operation::read, 0, 0),
           request_of(Operation::read, 0, 512, 8),
           request_of(static_cast<Operation>(0), 0, 512),
           request_of(static_cast<Operation>(77), 0, 512),
       }) {
    EXPECT_EQ(exchange(link.get(), bad), EINVAL)
        << static_cast<unsigned>(bad.operation) << " " << bad.offset << "+" << bad.length;
  }
  EXPECT_EQ(engine.counts().reads + engine.counts().writes, 0U);
  EXPECT_EQ(exchange(link.get(), request_of(Operation::read, kDiskBytes - 512, 512)), 0);
}

TEST_F(RelayTest, AMessageThatIsNoRequestEndsTheLinkAndNothingElse) {
  const FileDescriptor link = raw_link();
  ASSERT_TRUE(os::send_message(link.get(), std::uint32_t{1}));
  EXPECT_EQ(exchange(link.get(), request_of(Operation::read, 0, 512)), -1);
  EXPECT_EQ(ask(Kind::hello).error, 0);
}

TEST_F(RelayTest, OneWhoNeverReadsAnswersIsCutOff) {
  const FileDescriptor link = raw_link();
  int sent = 0;
  while (sent < 100'000) {
    if (os::send_message(link.get(), request_of(Operation::read, 0, 512))) {
      ++sent;
      continue;
    }
    if (errno != EAGAIN) break;
    std::this_thread::yield();
  }
  EXPECT_LT(sent, 100'000);
}

TEST_F(RelayTest, LinksAreBoundedAndTheLastAreForNewClients) {
  EXPECT_EQ(ask(Kind::hello).error, 0);
  std::vector<os::PassedDescriptors> kept(RelayServer::kMostLinks + 2);
  std::size_t count = 0;
  const std::uint64_t first = ask(Kind::open_connection, &kept[count++]).connection;
  while (ask(Kind::open_link, &kept[count], first).error == 0) ++count;
  EXPECT_EQ(count, RelayServer::kMostFurtherLinks);
  while (count <= RelayServer::kMostLinks && ask(Kind::open_connection, &kept[count]).error == 0) {
    ++count;
  }
  EXPECT_EQ(count, RelayServer::kMostLinks);
  EXPECT_EQ(ask(Kind::open_connection).error, EAGAIN);
}

TEST_F(RelayTest, LinksAreForThoseWhoSaidHelloAndOfConnectionsThatAreThere) {
  EXPECT_EQ(ask(Kind::open_connection).error, EINVAL);
  EXPECT_EQ(ask(Kind::hello).error, 0);
  EXPECT_EQ(ask(Kind::open_link, nullptr, 1).error, EINVAL);
  EXPECT_EQ(ask(static_cast<Kind>(9)).error, EINVAL);
}

TEST_F(RelayTest, NonsenseOnTheControlSocketEndsIt) {
  ASSERT_TRUE(os::send_message(nbdkit.get(), std::uint64_t{0}));
  ControlAnswer answer;
  EXPECT_FALSE(os::receive_message(nbdkit.get(), answer));
}

TEST_F(RelayTest, AnotherVersionIsTurnedAway) {
  ControlRequest request;
  request.version = kRelayVersion + 1;
  ASSERT_TRUE(os::send_message(nbdkit.get(), request));
  ControlAnswer answer;
  EXPECT_FALSE(os::receive_message(nbdkit.get(), answer));
}

TEST_F(RelayTest, WhenTheProcessOfTheSetIsGoneRequestsFailAtOnce) {
  RelayClient& relay = greeted();
  auto connection = std::move(*relay.connect(1));
  ::shutdown(relay.control(), SHUT_RDWR);
  EXPECT_TRUE(clients.close(kSoon));
  std::vector<std::byte> data(2 * kMiB);
  EXPECT_EQ(connection->read(0, data), ESHUTDOWN);
  EXPECT_EQ(connection->write(0, data, false), ESHUTDOWN);
  EXPECT_FALSE(relay.connect(1));
}

TEST_F(ReadOnlyRelayTest, NothingIsChanged) {
  const FileDescriptor link = raw_link();
  EXPECT_EQ(exchange(link.get(), request_of(Operation::write, 0, 512)), EROFS);
  EXPECT_EQ(exchange(link.get(), request_of(Operation::trim, 0, 4096)), EROFS);
  EXPECT_EQ(exchange(link.get(), request_of(Operation::zero, 0, 4096, RelayRequest::kMayTrim)),
            EROFS);
  EXPECT_EQ(exchange(link.get(), request_of(Operation::read, 0, 512)), 0);
  EXPECT_EQ(engine.counts().writes + engine.zeroings(), 0U);
}

}  // namespace
}  // namespace dmremap::nbd
