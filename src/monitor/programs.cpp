// SPDX-License-Identifier: GPL-2.0-or-later
#include <algorithm>
#include <cctype>
#include <cerrno>
#include <filesystem>
#include <set>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/channels.hpp"
#include "os/program_run.hpp"
#include "os/trusted_directory.hpp"

namespace dmremap::monitor {

namespace {

namespace fs = std::filesystem;

void call(const std::string& program, const Message& message, std::chrono::milliseconds deadline,
          std::vector<Error>& errors) {
  std::vector<std::string> words{program, message.event, message.set};
  if (!message.detail.empty()) words.push_back(message.detail);
  const auto done = os::run_program({words, {}, deadline});
  if (done) return;
  Error error = done.error();
  error.what = fmt::format("{} of {} was not told: {}", message.event, message.set, error.what);
  errors.push_back(std::move(error));
}

class ProgramChannel final : public Channel {
 public:
  ProgramChannel(std::string program, std::chrono::milliseconds deadline)
      : program_(std::move(program)), deadline_(deadline) {}

  [[nodiscard]] std::vector<Error> deliver(const std::vector<Message>& messages) override {
    std::vector<Error> errors;
    for (const Message& message : messages) call(program_, message, deadline_, errors);
    return errors;
  }

 private:
  const std::string program_;
  const std::chrono::milliseconds deadline_;
};

bool is_hook_name(const std::string& name) {
  return std::ranges::all_of(
      name, [](unsigned char c) { return std::isalnum(c) != 0 || c == '_' || c == '-'; });
}

class HooksChannel final : public Channel {
 public:
  HooksChannel(std::string directory, std::chrono::milliseconds deadline)
      : path_(std::move(directory)), deadline_(deadline) {}

  // What lies in the directory is looked at anew each time.
  [[nodiscard]] std::vector<Error> deliver(const std::vector<Message>& messages) override {
    std::vector<Error> errors;
    const auto directory = os::TrustedDirectory::open(path_, os::PathTrust::no_foreign_changes);
    if (!directory) {
      if (directory.error().code != ErrorCode::no_such_device) errors.push_back(directory.error());
      return errors;
    }
    for (const std::string& program : programs_in(*directory, errors)) {
      for (const Message& message : messages) call(program, message, deadline_, errors);
    }
    return errors;
  }

 private:
  static Result<void> is_trusted(const fs::path& program, const struct stat& status) {
    const bool ours = status.st_uid == 0 || status.st_uid == ::geteuid();
    if (!ours || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
      return fail(ErrorCode::permission,
                  fmt::format("is not called: others may change it (uid {}, mode {:o})",
                              status.st_uid, status.st_mode & 07777),
                  program, "make it root's own: chown root, chmod go-w");
    }
    const auto directory =
        os::TrustedDirectory::open_parent_of(program, os::PathTrust::no_foreign_changes);
    return directory ? Result<void>() : failure_of(directory);
  }

  std::vector<std::string> programs_in(const os::TrustedDirectory& directory,
                                       std::vector<Error>& errors) {
    std::vector<std::string> out;
    std::error_code error;
    for (const auto& entry : fs::directory_iterator(directory.path(), error)) {
      const std::string name = entry.path().filename();
      if (!is_hook_name(name)) continue;
      // A link is judged by what it leads to.
      const fs::path program = fs::canonical(entry.path(), error);
      struct stat status {};
      if (error || ::lstat(program.c_str(), &status) != 0) continue;
      if (!S_ISREG(status.st_mode) || (status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) == 0) {
        continue;
      }
      if (auto trusted = is_trusted(program, status); !trusted) {
        if (refused_.insert(program).second) errors.push_back(trusted.error());
        continue;
      }
      out.push_back(entry.path());
    }
    std::ranges::sort(out);
    return out;
  }

  const std::string path_;
  const std::chrono::milliseconds deadline_;
  std::set<std::string> refused_;  // programs of which this was said
};

}  // namespace

Result<std::unique_ptr<Channel>> program_channel(const std::string& program,
                                                 std::chrono::milliseconds deadline) {
  if (auto there = os::check_program(program); !there) {
    Error error = there.error();
    if (error.hint.empty()) error.hint = "name a program that is there";
    return tl::unexpected(std::move(error));
  }
  return std::make_unique<ProgramChannel>(program, deadline);
}

std::unique_ptr<Channel> hooks_channel(const std::string& directory,
                                       std::chrono::milliseconds deadline) {
  return std::make_unique<HooksChannel>(directory, deadline);
}

}  // namespace dmremap::monitor
