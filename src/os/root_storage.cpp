// SPDX-License-Identifier: GPL-2.0-or-later
#include "os/root_storage.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/parse.hpp"
#include "os/sysfs.hpp"

namespace dmremap::os {

namespace {

constexpr const char* kInitramfs = "/etc/initrd-release";
constexpr const char* kCopyName = "dmremap";  // of a file in memory: "/memfd:dmremap (deleted)"
constexpr char kSurvives = '@';

char** g_arguments = nullptr;

// The libraries of this process, the loader last; "" for the program itself is left out, and so is
// what the kernel maps.
int note_library(dl_phdr_info* library, std::size_t /*size*/, void* paths) {
  const std::string_view path = library->dlpi_name;
  if (path.starts_with('/')) static_cast<std::vector<std::string>*>(paths)->emplace_back(path);
  return 0;
}

// proc(5): field 48 of the line is where the command line begins. The second is a name in
// parentheses, in which anything may be.
char* first_of_command_line() {
  constexpr int kAfterName = 3;
  constexpr int kArgumentsBegin = 48;
  const std::string line = read_attribute("/proc/self/stat");
  std::istringstream fields(line.substr(std::min(line.rfind(')'), line.size() - 1) + 1));
  std::string field;
  for (int i = kAfterName; i <= kArgumentsBegin; ++i) fields >> field;
  const auto begin = parse_number(field);
  // NOLINTNEXTLINE(performance-no-int-to-ptr): the kernel tells addresses as numbers.
  if (fields && begin && *begin != 0) return reinterpret_cast<char*>(*begin);
  return g_arguments == nullptr ? nullptr : g_arguments[0];
}

bool is_loader(const std::string& path) {
  return std::filesystem::path(path).filename().string().starts_with("ld-linux");
}

// Stays open when a program is executed. Errors: io.
Result<FileDescriptor> copy_to_memory(const std::string& path) {
  const FileDescriptor from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat st {};
  if (!from.valid() || ::fstat(from.get(), &st) != 0) return fail_errno(errno, "open it", path);
  FileDescriptor to(::memfd_create(kCopyName, 0));
  if (!to.valid()) return fail_errno(errno, "make a file in memory", path);
  off_t at = 0;
  while (at < st.st_size) {
    const ssize_t sent =
        ::sendfile(to.get(), from.get(), &at, static_cast<std::size_t>(st.st_size - at));
    if (sent <= 0) return fail_errno(sent < 0 ? errno : EIO, "copy it to memory", path);
  }
  return to;
}

std::string path_of(const FileDescriptor& fd) {
  return fmt::format("/proc/self/fd/{}", fd.get());
}

void close_copies() {
  for (const std::string& name : names_in("/proc/self/fd")) {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink("/proc/self/fd/" + name, error);
    const auto number = parse_number(name);
    if (!error && number && target.starts_with(fmt::format("/memfd:{}", kCopyName))) {
      ::close(static_cast<int>(*number));
    }
  }
}

}  // namespace

bool is_initramfs() {
  return ::access(kInitramfs, F_OK) == 0;
}

void remember_arguments(char** argv) {
  g_arguments = argv;
}

void survive_shutdown() {
  // The kernel shows the memory that the arguments were put into. In a program that a loader was
  // told to run that begins with words for the loader.
  char* const first = first_of_command_line();
  if (first != nullptr && *first != '\0') *first = kSurvives;
}

bool survives_shutdown(pid_t pid) {
  return read_attribute(fmt::format("/proc/{}/cmdline", pid)).starts_with(kSurvives);
}

Error run_from_memory() {
  std::vector<std::string> libraries;
  ::dl_iterate_phdr(note_library, &libraries);
  const auto loader = std::ranges::find_if(libraries, is_loader);
  if (loader == libraries.end() || g_arguments == nullptr) {
    return {ErrorCode::not_supported, "the program's loader is not known", "", ""};
  }
  std::string preload;
  std::vector<FileDescriptor> kept;
  for (const std::string& path : libraries) {
    if (is_loader(path)) continue;
    auto copy = copy_to_memory(path);
    if (!copy) return copy.error();
    preload += (preload.empty() ? "" : ":") + path_of(*copy);
    kept.push_back(std::move(*copy));
  }
  const auto program = copy_to_memory("/proc/self/exe");
  if (!program) return program.error();
  const auto loading = copy_to_memory(*loader);
  if (!loading) return loading.error();
  // ld.so(8): a library that is preloaded is the one that is asked for by its name later.
  std::vector<std::string> words{"dmremap",   "--argv0", "dmremap",
                                 "--preload", preload,   path_of(*program)};
  for (char** word = g_arguments + 1; *word != nullptr; ++word) words.emplace_back(*word);
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  ::fexecve(loading->get(), pointers.data(), environ);
  const int error = errno;
  return fail_errno(error, "run from memory", *loader).value();
}

bool runs_from_memory() {
  static const bool answer = [] {
    std::error_code error;
    const std::string target = std::filesystem::read_symlink("/proc/self/exe", error);
    const bool is_copy = !error && target.starts_with(fmt::format("/memfd:{}", kCopyName));
    if (is_copy) close_copies();
    return is_copy;
  }();
  return answer;
}

RootFollower::RootFollower() {
  if (!is_initramfs()) return;
  proc_ = FileDescriptor(::open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC));
}

bool RootFollower::follow() {
  if (!proc_.valid() || ::access("/proc/self", F_OK) == 0) return false;
  // The link leads to the directory itself, wherever it is mounted.
  const FileDescriptor root(::openat(proc_.get(), "1/root", O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid() || ::fchdir(root.get()) != 0 || ::chroot(".") != 0) return false;
  proc_.reset();
  return true;
}

}  // namespace dmremap::os
