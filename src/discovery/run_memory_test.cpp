// SPDX-License-Identifier: GPL-2.0-or-later
#include "discovery/run_memory.hpp"

#include <algorithm>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <random>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "metadata/store.hpp"
#include "rig/engine_rig.hpp"

namespace dmremap::discovery {
namespace {

namespace fs = std::filesystem;
using remap::BlockHash;

class RunMemoryFile : public ::testing::Test {
 protected:
  RunMemoryFile() {
    std::string pattern = (fs::temp_directory_path() / "dmremap-run.XXXXXX").string();
    directory_ = ::mkdtemp(pattern.data());
    path = (directory_ / "set.memory").string();
    name.set_uuid.bytes[0] = std::byte{7};
    name.boot = boot_id();
    name.term = 5;
    name.main_size = remap::kMainSize;
  }
  ~RunMemoryFile() override { fs::remove_all(directory_); }

  // An engine that has evidence, a dirty region and a write in flight, and is killed.
  void kill_an_engine() {
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      run_and_die();
      ::_exit(1);
    }
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << "it is killed while it writes";
  }
  void run_and_die() const {
    auto memory = RunMemory::make(path, name);
    if (!memory) return;
    remap::Rig rig;
    rig.memory = memory->memory();
    rig.evidence = {rig.block_hash(0), rig.block_hash(4'096), rig.block_hash(8'192)};
    rig.start();
    if (!memory->publish()) return;
    if (rig.write(0, 8, 2) != 0) return;
    rig.main.set_hook([](const sim::Request&) -> io::IoStatus {
      (void)::raise(SIGKILL);
      return {};
    });
    (void)rig.write(4'100, 1, 2);
  }

  fs::path directory_;
  std::string path;
  RunName name;
};

TEST_F(RunMemoryFile, Promise8_WhatAKilledRunLeftSaysWhatIsCertain) {
  ASSERT_NO_FATAL_FAILURE(kill_an_engine());
  const remap::Rig rig;
  const auto left = read_run_memory(path, name);
  ASSERT_TRUE(left);
  EXPECT_EQ(left->term, 5U);
  EXPECT_EQ(left->evidence, (std::vector<BlockHash>{rig.block_hash(8'192)}))
      << "neither what is dirty nor what was being written";
}

TEST_F(RunMemoryFile, AnotherSetSizeOrBootHasNoPartInIt) {
  auto memory = RunMemory::make(path, name);
  ASSERT_TRUE(memory) << memory.error().message();
  EXPECT_FALSE(read_run_memory(path, name)) << "not published";
  ASSERT_TRUE(memory->publish());
  EXPECT_TRUE(read_run_memory(path, name));
  RunName other = name;
  other.term = 6;
  EXPECT_EQ(read_run_memory(path, other)->term, 5U);
  other.set_uuid.bytes[1] = std::byte{1};
  EXPECT_FALSE(read_run_memory(path, other));
  other = name;
  other.boot.bytes[1] ^= std::byte{1};
  EXPECT_FALSE(read_run_memory(path, other));
  other.boot = {};
  EXPECT_FALSE(read_run_memory(path, other));
  other = name;
  other.main_size = other.main_size + SectorCount{8};
  EXPECT_FALSE(read_run_memory(path, other));
  memory->remove();
  EXPECT_FALSE(read_run_memory(path, name));
}

TEST_F(RunMemoryFile, ALinkOrAFileThatOthersMayWriteIsNotRead) {
  auto memory = RunMemory::make(path, name);
  ASSERT_TRUE(memory && memory->publish());
  ASSERT_EQ(::chmod(path.c_str(), 0620), 0);
  EXPECT_FALSE(read_run_memory(path, name));
  ASSERT_EQ(::chmod(path.c_str(), 0600), 0);
  fs::rename(path, directory_ / "elsewhere");
  fs::create_symlink(directory_ / "elsewhere", path);
  EXPECT_FALSE(read_run_memory(path, name));
  // A link in the way of a new one is replaced, and what it points to left alone.
  const fs::path victim = directory_ / "victim";
  std::ofstream(victim) << "precious";
  fs::create_symlink(victim, path + ".new");
  auto again = RunMemory::make(path, name);
  ASSERT_TRUE(again && again->publish());
  EXPECT_TRUE(read_run_memory(path, name));
  EXPECT_EQ(fs::file_size(victim), 8U);
}

TEST_F(RunMemoryFile, AFormerRunIsReadUntilTheNextOneIsPublished) {
  auto first = RunMemory::make(path, name);
  ASSERT_TRUE(first && first->publish());
  name.term = 6;
  auto second = RunMemory::make(path, name);
  ASSERT_TRUE(second);
  EXPECT_EQ(read_run_memory(path, name)->term, 5U);
  ASSERT_TRUE(second->publish());
  EXPECT_EQ(read_run_memory(path, name)->term, 6U);
}

TEST_F(RunMemoryFile, AnyBytesAreAnAnswer) {
  auto memory = RunMemory::make(path, name);
  ASSERT_TRUE(memory && memory->publish());
  std::vector<std::byte> bytes(fs::file_size(path));
  std::ifstream in(path, std::ios::binary);
  ASSERT_TRUE(
      in.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size())));
  ASSERT_TRUE(parse_run_memory(bytes, name));
  std::mt19937_64 random(1);
  for (int round = 0; round < 5'000; ++round) {
    std::vector<std::byte> other(
        bytes.begin(),
        bytes.begin() + static_cast<std::ptrdiff_t>(random() % 4 == 0 ? random() % bytes.size()
                                                                      : bytes.size()));
    for (std::uint64_t i = random() % 8; i > 0 && !other.empty(); --i) {
      other[random() % other.size()] = static_cast<std::byte>(random());
    }
    const auto left = parse_run_memory(other, name);
    if (left) {
      EXPECT_TRUE(left->evidence.empty());
    }
  }
}

}  // namespace
}  // namespace dmremap::discovery
