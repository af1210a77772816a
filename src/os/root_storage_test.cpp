// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/root_storage.hpp"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <link.h>
#include <sys/wait.h>
#include <unistd.h>

namespace dmremap::os {
namespace {

int status_of(pid_t child) {
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int note_loader(dl_phdr_info* library, std::size_t /*size*/, void* path) {
  const std::string name = library->dlpi_name;
  if (name.find("/ld-linux") != std::string::npos) *static_cast<std::string*>(path) = name;
  return 0;
}

TEST(RootStorage, AProcessIsMarkedWhereOthersReadIt) {
  const pid_t child = ::fork();
  if (child == 0) {
    survive_shutdown();
    ::_exit(survives_shutdown(::getpid()) ? 0 : 1);
  }
  EXPECT_EQ(status_of(child), 0);
  EXPECT_FALSE(survives_shutdown(::getpid()));
}

// As a process that runs from memory is.
TEST(RootStorage, AProgramThatALoaderRunsIsMarkedToo) {
  std::string loader;
  ::dl_iterate_phdr(note_loader, &loader);
  if (loader.empty()) GTEST_SKIP() << "this program has no loader";
  const std::string self = std::filesystem::read_symlink("/proc/self/exe");
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl(loader.c_str(), "os_test", "--argv0", "os_test", self.c_str(),
            "--gtest_filter=RootStorage.AProcessIsMarkedWhereOthersReadIt",
            static_cast<char*>(nullptr));
    ::_exit(2);
  }
  EXPECT_EQ(status_of(child), 0);
}

}  // namespace
}  // namespace dmremap::os
