// SPDX-License-Identifier: GPL-2.0-or-later
#include "io/file_device.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/aligned_buffer.hpp"
#include "base/file_descriptor.hpp"

namespace dmremap::io {
namespace {

constexpr OpenMode kShared{Access::read_write, Holding::shared};
constexpr OpenMode kExclusive{Access::read_write, Holding::exclusive};

class FileDeviceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (std::filesystem::temp_directory_path() / "dmremap-io-XXXXXX").string();
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] std::string path(const std::string& name) const { return directory_ + "/" + name; }

  [[nodiscard]] std::string image(std::uint64_t bytes) const {
    std::ofstream(path("image")).close();
    std::filesystem::resize_file(path("image"), bytes);
    return path("image");
  }

  std::string directory_;
};

std::vector<std::byte> pattern(std::size_t bytes) {
  std::vector<std::byte> data(bytes);
  for (std::size_t i = 0; i < bytes; ++i)
    data[i] = static_cast<std::byte>((i * 31 + i / 512) % 251);
  return data;
}

bool all_zero(std::span<const std::byte> data) {
  return std::ranges::all_of(data, [](std::byte b) { return b == std::byte{0}; });
}

TEST_F(FileDeviceTest, AnImageHasItsFilesSizeInWholeBlocks) {
  const auto device = FileDevice::open(image(1 * kMiB + 700), kShared);
  ASSERT_TRUE(device);
  const Geometry& geometry = (*device)->geometry();
  EXPECT_EQ(geometry.size.bytes(), align_down(1 * kMiB + 700, geometry.logical_block_bytes));
  EXPECT_GE(geometry.physical_block_bytes, geometry.logical_block_bytes);
  EXPECT_LE(geometry.physical_block_bytes, 65536U);
  EXPECT_FALSE((*device)->is_block_device());
}

TEST_F(FileDeviceTest, AnEndThatIsNoWholeBlockIsNamedWithItsLength) {
  const auto whole = FileDevice::open(image(1 * kMiB), kShared);
  ASSERT_TRUE(whole);
  EXPECT_TRUE((*whole)->check_whole_blocks());
  const auto device = FileDevice::open(image(1 * kMiB + 4096 + 65), kShared);
  ASSERT_TRUE(device);
  const auto refused = (*device)->check_whole_blocks();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::block_size);
  EXPECT_NE(refused.error().what.find("the last 65 "), std::string::npos) << refused.error().what;
}

// More than go at once, of several lengths, one from a buffer that direct I/O cannot take.
void expect_many_at_once(FileDevice& device) {
  constexpr std::size_t kOps = 70;
  const std::vector<std::byte> data = pattern(kOps * 16 * kKiB + 1);
  AlignedBuffer aligned(kOps * 16 * kKiB);
  std::copy_n(data.begin(), aligned.size(), aligned.span().begin());
  std::vector<WriteOp> writes;
  for (std::size_t i = 0; i < kOps; ++i) {
    const std::size_t bytes = (i % 4 + 1) * 4 * kKiB;
    const auto from = i == 3 ? std::span(data).subspan(i * 16 * kKiB, bytes)
                             : aligned.span().subspan(i * 16 * kKiB, bytes);
    writes.push_back({{i * 32}, from});
  }
  writes[5].first = Sector{device.geometry().size.value};
  device.write_many(writes);
  AlignedBuffer back(aligned.size());
  std::vector<ReadOp> reads;
  for (std::size_t i = 0; i < kOps; ++i) {
    reads.push_back({{i * 32}, back.span().subspan(i * 16 * kKiB, writes[i].data.size())});
  }
  device.read_many(reads);
  for (std::size_t i = 0; i < kOps; ++i) {
    EXPECT_EQ(writes[i].status.error, i == 5 ? EINVAL : 0) << i;
    EXPECT_EQ(reads[i].status.error, 0) << i;
    EXPECT_TRUE(i == 5 ? all_zero(reads[i].out) : std::ranges::equal(reads[i].out, writes[i].data))
        << i;
  }
  EXPECT_EQ(device.counters().writes, kOps - 1);
  EXPECT_EQ(device.counters().reads, kOps);
}

TEST_F(FileDeviceTest, ManyAtOnceDoWhatEachWouldAloneAndAnswerEachForItself) {
  const auto device = FileDevice::open(image(4 * kMiB), kShared);
  ASSERT_TRUE(device);
  expect_many_at_once(**device);
}

TEST_F(FileDeviceTest, WhereTheKernelGivesNoRingManyGoOneByOne) {
  const std::string at = image(4 * kMiB);
  // What a sanitizer looks up the first time takes descriptors of its own.
  ASSERT_TRUE(FileDevice::open(at, kShared));
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const int next = ::dup(0);
  ASSERT_GE(next, 0);
  ::close(next);
  // One descriptor for the image, none for a ring.
  const rlimit tight{static_cast<rlim_t>(next) + 1, before.rlim_max};
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &tight), 0);
  const auto device = FileDevice::open(at, kShared);
  const auto ring = Ring::create();
  ::setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(device);
  EXPECT_EQ(ring, nullptr);
  expect_many_at_once(**device);
}

TEST_F(FileDeviceTest, EachOfManyWritesToAReadOnlyDeviceFails) {
  const auto device = FileDevice::open(image(1 * kMiB), {Access::read_only, Holding::shared});
  ASSERT_TRUE(device);
  const AlignedBuffer data(4 * kKiB);
  std::vector<WriteOp> ops{{{0}, data.span()}, {{8}, data.span()}};
  (*device)->write_many(ops);
  for (const WriteOp& op : ops) EXPECT_EQ(op.status.error, EBADF);
  EXPECT_EQ((*device)->counters().write_errors, 2U);
}

TEST_F(FileDeviceTest, AnEmptyImageOpensWithSizeZeroAndServesNothing) {
  const auto device = FileDevice::open(image(0), kShared);
  ASSERT_TRUE(device);
  EXPECT_EQ((*device)->geometry().size.value, 0U);
  std::vector<std::byte> out(4096);
  EXPECT_EQ((*device)->read({0}, out).error, EINVAL);
}

TEST_F(FileDeviceTest, AlignedAndUnalignedBuffersReadTheSame) {
  const auto device = FileDevice::open(image(4 * kMiB), kShared);
  ASSERT_TRUE(device);
  FileDevice::prepare_thread();
  // Longer than one bounce, and not a multiple of it.
  const std::size_t bytes = 640 * kKiB + 4096;
  auto data = pattern(bytes + 1);
  const auto unaligned = std::span<const std::byte>(data).subspan(1);
  ASSERT_TRUE((*device)->write({8}, unaligned).ok());

  AlignedBuffer aligned(bytes);
  ASSERT_TRUE((*device)->read({8}, aligned.span()).ok());
  EXPECT_TRUE(std::ranges::equal(aligned.span(), unaligned));

  std::vector<std::byte> out(bytes + 3);
  ASSERT_TRUE((*device)->read({8}, std::span(out).subspan(3)).ok());
  EXPECT_TRUE(std::ranges::equal(std::span(out).subspan(3), unaligned));
}

TEST_F(FileDeviceTest, WhatIsWrittenAndFlushedIsInTheFile) {
  const std::string file = image(1 * kMiB);
  const auto device = FileDevice::open(file, kShared);
  ASSERT_TRUE(device);
  const auto data = pattern(4096);
  ASSERT_TRUE((*device)->write({16}, data).ok());
  ASSERT_TRUE((*device)->flush().ok());
  std::ifstream in(file, std::ios::binary);
  in.seekg(8192);
  std::vector<char> found(4096);
  in.read(found.data(), 4096);
  EXPECT_TRUE(std::ranges::equal(std::as_bytes(std::span(found)), data));
  EXPECT_EQ(std::filesystem::file_size(file), 1 * kMiB);
}

TEST_F(FileDeviceTest, RequestsBeyondTheEndAreRefused) {
  const auto device = FileDevice::open(image(1 * kMiB), kShared);
  ASSERT_TRUE(device);
  std::vector<std::byte> data(8192);
  EXPECT_EQ((*device)->write({2048 - 8}, data).error, EINVAL);
  EXPECT_EQ((*device)->read({2048 - 8}, data).error, EINVAL);
  EXPECT_EQ((*device)->read({~std::uint64_t{0} - 7}, data).error, EINVAL);
  EXPECT_EQ(std::filesystem::file_size(path("image")), 1 * kMiB);
}

// Not EIO: that would be taken for bad sectors.
TEST_F(FileDeviceTest, Promise6_AnImageThatShrankGivesAnErrorOfTheDeviceAndNeverZeros) {
  const std::string file = image(1 * kMiB);
  const auto device = FileDevice::open(file, kShared);
  ASSERT_TRUE(device);
  std::filesystem::resize_file(file, 512 * kKiB);
  AlignedBuffer out(8192);
  EXPECT_EQ((*device)->read({1024}, out.span()).error, ENXIO);
  EXPECT_EQ((*device)->read({1024 - 8}, out.span()).error, ENXIO);
  EXPECT_EQ((*device)->size_now()->bytes(), 512 * kKiB);
  EXPECT_EQ((*device)->geometry().size.bytes(), 1 * kMiB);
  EXPECT_EQ((*device)->counters().read_errors, 2U);
}

TEST_F(FileDeviceTest, Promise1_AWriteNeverMakesATruncatedImageLonger) {
  const std::string file = image(1 * kMiB);
  const auto device = FileDevice::open(file, {Access::read_write, Holding::exclusive});
  ASSERT_TRUE(device);
  if (!(*device)->direct()) GTEST_SKIP() << "needs a file system with direct I/O";
  std::filesystem::resize_file(file, 512 * kKiB);
  const AlignedBuffer data(8192);
  EXPECT_EQ((*device)->write({1024}, data.span()).error, ENXIO);
  EXPECT_EQ((*device)->write({1024 - 8}, data.span()).error, ENXIO);
  EXPECT_EQ((*device)->write_zeroes({{1024}, {16}}).error, ENXIO);
  std::vector<WriteOp> ops{{Sector{0}, data.span()}, {Sector{1024 - 8}, data.span()}};
  (*device)->write_many(ops);
  EXPECT_TRUE(ops[0].status.ok());
  EXPECT_EQ(ops[1].status.error, ENXIO);
  EXPECT_TRUE((*device)->write({1024 - 16}, data.span()).ok());
  EXPECT_EQ(std::filesystem::file_size(file), 512 * kKiB);
  // With its size again it takes writes again.
  std::filesystem::resize_file(file, 1 * kMiB);
  EXPECT_TRUE((*device)->write({1024}, data.span()).ok());
}

TEST_F(FileDeviceTest, ZeroedRangesReadAsZerosAndTheirNeighboursStay) {
  const auto device = FileDevice::open(image(1 * kMiB), kShared);
  ASSERT_TRUE(device);
  ASSERT_TRUE((*device)->write({0}, pattern(64 * kKiB)).ok());
  const IoStatus status = (*device)->write_zeroes({{16}, {24}});
  if (status.error == EOPNOTSUPP) GTEST_SKIP() << "the file system cannot punch holes";
  ASSERT_TRUE(status.ok());
  std::vector<std::byte> out(64 * kKiB);
  ASSERT_TRUE((*device)->read({0}, out).ok());
  EXPECT_TRUE(all_zero(std::span(out).subspan(8 * kKiB, 12 * kKiB)));
  auto expected = pattern(64 * kKiB);
  std::ranges::fill(std::span(expected).subspan(8 * kKiB, 12 * kKiB), std::byte{0});
  EXPECT_EQ(out, expected);
  EXPECT_EQ(std::filesystem::file_size(path("image")), 1 * kMiB);
  EXPECT_TRUE((*device)->write_zeroes({{16}, {0}}).ok());
  EXPECT_TRUE((*device)->discard({{16}, {0}}).ok());
}

TEST_F(FileDeviceTest, OpenReadOnlyWritesNothing) {
  const auto device = FileDevice::open(image(1 * kMiB), {Access::read_only, Holding::shared});
  ASSERT_TRUE(device);
  EXPECT_EQ(classify((*device)->write({0}, pattern(4096)).error), Fault::caller);
  std::vector<std::byte> out(4096);
  ASSERT_TRUE((*device)->read({0}, out).ok());
  EXPECT_TRUE(all_zero(out));
}

TEST_F(FileDeviceTest, AHeldImageIsInUseUntilItIsClosed) {
  const std::string file = image(1 * kMiB);
  auto first = FileDevice::open(file, kExclusive);
  ASSERT_TRUE(first);
  const auto second = FileDevice::open(file, kExclusive);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, ErrorCode::device_in_use);
  EXPECT_EQ(second.error().where, file);
  EXPECT_FALSE(second.error().hint.empty());
  EXPECT_TRUE(FileDevice::open(file, kShared)) << "looking is allowed";
  first->reset();
  EXPECT_TRUE(FileDevice::open(file, kExclusive));
}

TEST_F(FileDeviceTest, WhatIsNoDeviceIsNamedAsSuch) {
  const auto missing = FileDevice::open(path("none"), kShared);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, ErrorCode::no_such_device);
  const auto directory = FileDevice::open(directory_, kShared);
  ASSERT_FALSE(directory);
  EXPECT_EQ(directory.error().code, ErrorCode::not_a_device);
  ASSERT_EQ(::mkfifo(path("fifo").c_str(), 0600), 0);
  const auto fifo = FileDevice::open(path("fifo"), kShared);
  ASSERT_FALSE(fifo);
  EXPECT_EQ(fifo.error().code, ErrorCode::not_a_device);
  const auto terminal = FileDevice::open("/dev/null", kShared);
  ASSERT_FALSE(terminal);
  EXPECT_EQ(terminal.error().code, ErrorCode::not_a_device);
}

TEST(FileDeviceOnMemory, AnImageInMemoryWorksDirectOrNot) {
  std::string file = "/dev/shm/dmremap-io-XXXXXX";
  const int fd = ::mkstemp(file.data());
  if (fd < 0) GTEST_SKIP() << "no /dev/shm";
  ASSERT_EQ(::ftruncate(fd, 1 << 20), 0);
  ::close(fd);
  const auto device = FileDevice::open(file, kExclusive);
  ::unlink(file.c_str());
  ASSERT_TRUE(device) << device.error().message();
  const auto data = pattern(12 * kKiB + 1);
  const auto unaligned = std::span<const std::byte>(data).subspan(1);
  ASSERT_TRUE((*device)->write({8}, unaligned).ok());
  std::vector<std::byte> out(12 * kKiB);
  ASSERT_TRUE((*device)->read({8}, out).ok());
  EXPECT_TRUE(std::ranges::equal(out, unaligned));
}

// As what a killed process had in flight: a lock that is held while no process has the file open.
class LockInFlight {
 public:
  explicit LockInFlight(const std::string& path) {
    EXPECT_EQ(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ends_.data()), 0);
    const FileDescriptor file(::open(path.c_str(), O_RDWR | O_CLOEXEC));
    EXPECT_EQ(::flock(file.get(), LOCK_EX | LOCK_NB), 0);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char byte = 0;
    iovec data{&byte, 1};
    msghdr message{};
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    cmsghdr* const header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof(int));
    const int fd = file.get();
    std::memcpy(CMSG_DATA(header), &fd, sizeof fd);
    EXPECT_EQ(::sendmsg(ends_[0], &message, 0), 1);
  }
  LockInFlight(const LockInFlight&) = delete;
  LockInFlight& operator=(const LockInFlight&) = delete;
  ~LockInFlight() { end(); }
  // Nobody will take it out of the socket any more.
  void end() {
    for (int& fd : ends_) {
      if (fd >= 0) ::close(fd);
      fd = -1;
    }
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

TEST_F(FileDeviceTest, WhatAKilledProcessStillHoldsIsWaitedFor) {
  const std::string path = image(64 * kKiB);
  LockInFlight lock(path);
  std::thread ends([&lock] {
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    lock.end();
  });
  const auto opened = FileDevice::open(path, kExclusive);
  ends.join();
  EXPECT_TRUE(opened) << opened.error().message();
}

}  // namespace
}  // namespace dmremap::io
