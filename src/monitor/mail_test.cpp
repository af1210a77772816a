// SPDX-License-Identifier: GPL-2.0-or-later
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "monitor/channels.hpp"

namespace dmremap::monitor {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::milliseconds kLong{20'000};

Message message(const std::string& event, Level level, const std::string& detail) {
  return {event, "backup", detail, level, true, 1'700'000'000'000'000'000};
}

TEST(MailText, SaysWhatHappenedWhenAndWhereToLook) {
  EXPECT_EQ(mail_text({message("DataLost", Level::critical, "8 sectors are lost or gone")},
                      {"admin@example.org", "", "", {}, {}}, "server"),
            R"(From: root
To: admin@example.org
Subject: dm-remap: DataLost backup on server
Auto-Submitted: auto-generated
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit

dmremap monitor on server noticed:

2023-11-14T22:13:20Z  DataLost backup: 8 sectors are lost or gone

Look closer with:

    dmremap status backup
    dmremap events backup
)");
}

TEST(MailText, TheSubjectNamesTheWorst) {
  const std::string text =
      mail_text({message("SpareLow", Level::warning, ""), message("Tripped", Level::critical, "")},
                {"root", "disk@example.org", "", {}, {}}, "server");
  EXPECT_NE(text.find("From: disk@example.org\n"), std::string::npos);
  EXPECT_NE(text.find("Subject: dm-remap: Tripped backup on server (and 1 more)\n"),
            std::string::npos);
}

TEST(MailChannel, AnAddressCannotBringAHeaderOfItsOwn) {
  for (const char* wrong : {"", "a b", "root\nBcc: all@example.org", "root\t"}) {
    const auto made = mail_channel({wrong, "", "/bin/true", kLong, {}});
    ASSERT_FALSE(made) << wrong;
    EXPECT_EQ(made.error().code, ErrorCode::usage);
  }
  EXPECT_FALSE(mail_channel({"root", "a\nb", "/bin/true", kLong, {}}));
  EXPECT_TRUE(mail_channel({"root", "", "/bin/true", kLong, {}}));
}

TEST(MailChannel, AMailProgramThatFailsOrIsNotThere) {
  EXPECT_EQ(mail_channel({"root", "", "/no/sendmail", kLong, {}}).error().code,
            ErrorCode::no_such_device);
  const auto failing = mail_channel({"root", "", "/bin/false", kLong, {}});
  const auto errors = (*failing)->deliver({message("Tripped", Level::critical, "")});
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].message(),
            "/bin/false: mail to root was not sent (Tripped): ended with status 1; "
            "run it by hand to see why");
}

// A directory with programs that write down how they are called.
class Hooks : public testing::Test {
 protected:
  Hooks() {
    fs::create_directories(directory_);
    fs::permissions(directory_, fs::perms(0755));
  }
  ~Hooks() override { fs::remove_all(directory_); }

  void add(const std::string& name, int mode) const {
    const std::string path = directory_ + "/" + name;
    std::ofstream(path) << "#!/bin/sh\necho \"" << name << ": $*\" >> " << said_ << "\n";
    ::chmod(path.c_str(), static_cast<mode_t>(mode));
  }
  std::vector<Error> deliver() const {
    fs::remove(said_);
    return hooks_channel(directory_, kLong)
        ->deliver({message("Tripped", Level::critical, "why so")});
  }
  [[nodiscard]] std::string said() const {
    std::stringstream text;
    text << std::ifstream(said_).rdbuf();
    return text.str();
  }

  const std::string directory_ =
      fs::canonical(testing::TempDir()).string() + "/hooks-" + std::to_string(::getpid());
  const std::string said_ = directory_ + "/said.log";
};

TEST_F(Hooks, EachExecutableIsCalledInOrderAndNothingElse) {
  add("20-second", 0755);
  add("10-first", 0700);
  add("30-no-program", 0644);
  add("40-kept.dpkg-old", 0755);
  add(".hidden", 0755);
  EXPECT_TRUE(deliver().empty());
  EXPECT_EQ(said(), "10-first: Tripped backup why so\n20-second: Tripped backup why so\n");
}

TEST_F(Hooks, WhatOthersMayChangeIsNotCalled) {
  add("10-open", 0777);
  add("20-fine", 0755);
  const auto errors = deliver();
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, ErrorCode::permission);
  EXPECT_EQ(said(), "20-fine: Tripped backup why so\n");

  fs::permissions(directory_, fs::perms(0777));
  ASSERT_EQ(deliver().size(), 1U) << "nor anything in a directory that others may change";
  EXPECT_EQ(said(), "");
}

TEST_F(Hooks, ALinkIsJudgedByWhatItLeadsTo) {
  fs::create_directory(directory_ + "/open");
  std::ofstream(directory_ + "/open/program") << "#!/bin/sh\n";
  ::chmod((directory_ + "/open/program").c_str(), 0755);
  fs::create_symlink("open/program", directory_ + "/10-link");
  EXPECT_TRUE(deliver().empty());
  fs::permissions(directory_ + "/open", fs::perms(0777));
  const auto errors = deliver();
  ASSERT_EQ(errors.size(), 1U);
  EXPECT_EQ(errors[0].code, ErrorCode::permission);
}

TEST_F(Hooks, NoDirectoryIsNoError) {
  EXPECT_TRUE(hooks_channel("/no/such/directory", kLong)
                  ->deliver({message("Tripped", Level::critical, "")})
                  .empty());
}

}  // namespace
}  // namespace dmremap::monitor
