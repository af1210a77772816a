// SPDX-License-Identifier: GPL-2.0-or-later
#include <cerrno>
#include <filesystem>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "service.hpp"

namespace dmremap::lab {
namespace {

using nlohmann::json;

class RequestTest : public ::testing::Test {
 protected:
  RequestTest() {
    std::string name = ::testing::TempDir() + "dmremap-lab-XXXXXX";
    const FileDescriptor made(::mkstemp(name.data()));
    image_ = name;
    std::filesystem::resize_file(image_, 100 * kSectorBytes);
    disk_ = Disk::open(image_).value();
  }
  ~RequestTest() override { std::filesystem::remove(image_); }

  Result<json> ask(const json& request) { return answer_request(*disk_, "/mnt/disk", request); }
  json shown() { return ask({{"op", "show"}}).value(); }

  std::string image_;
  std::unique_ptr<Disk> disk_;
};

TEST_F(RequestTest, FaultIsShownAsItWasGiven) {
  const std::vector<FaultRun> runs{
      {{{8}, {4}}, {.read_errno = ENODATA, .until_written = true, .slow_ms = 5, .flaky = 0.5}}};
  EXPECT_TRUE(ask({{"op", "fault"}, {"faults", faults_to_json(runs)}}));
  EXPECT_EQ(shown()["faults"], json::parse(R"([{"sector":8,"count":4,
                             "kinds":["read:ENODATA","until-written","slow:5","flaky:0.5"]}])"));
  EXPECT_EQ(faults_from_json(shown()["faults"]).value(), runs);
}

TEST_F(RequestTest, ShowHasEveryPromisedField) {
  const json all = shown();
  EXPECT_EQ(all["json_version"], 1);
  EXPECT_EQ(all["image"], image_);
  EXPECT_EQ(all["mountfile"], "/mnt/disk");
  EXPECT_EQ(all["size_sectors"], 100);
  EXPECT_EQ(all["unplugged"], false);
  EXPECT_EQ(all["faults"], json::array());
  EXPECT_EQ(all["counts"]["reads"], 0);
}

TEST_F(RequestTest, ClearTakesARangeOrAll) {
  EXPECT_TRUE(
      ask({{"op", "fault"}, {"faults", faults_to_json({{{{0}, {10}}, {.read_errno = EIO}}})}}));
  EXPECT_TRUE(ask({{"op", "clear"}, {"sector", 0}, {"count", 9}}));
  EXPECT_EQ(shown()["faults"], json::parse(R"([{"sector":9,"count":1,"kinds":["read"]}])"));
  EXPECT_TRUE(ask({{"op", "clear"}}));
  EXPECT_EQ(shown()["faults"], json::array());
}

TEST_F(RequestTest, UnplugAndReplug) {
  EXPECT_TRUE(ask({{"op", "unplug"}}));
  EXPECT_EQ(shown()["unplugged"], true);
  EXPECT_TRUE(ask({{"op", "replug"}}));
  EXPECT_EQ(shown()["unplugged"], false);
}

TEST_F(RequestTest, ModeIsShownAsItWasGiven) {
  EXPECT_EQ(shown()["mode"], "instant");
  EXPECT_TRUE(ask({{"op", "mode"}, {"mode", "arm:0.5,1000+streams"}}));
  EXPECT_EQ(shown()["mode"], "arm:0.5,1000+streams");
  EXPECT_TRUE(ask({{"op", "clear"}}));
  EXPECT_EQ(shown()["mode"], "arm:0.5,1000+streams");
  EXPECT_EQ(ask({{"op", "mode"}, {"mode", "arm"}}).error().code, ErrorCode::usage);
  EXPECT_TRUE(ask({{"op", "mode"}, {"mode", "instant"}}));
  EXPECT_EQ(shown()["mode"], "instant");
}

TEST_F(RequestTest, RangeBeyondTheDiskIsWrongUsage) {
  const auto refused = ask({{"op", "clear"}, {"sector", 99}, {"count", 2}});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, ErrorCode::usage);
}

TEST_F(RequestTest, UnknownRequestIsAnError) {
  EXPECT_EQ(ask({{"op", "format"}}).error().code, ErrorCode::protocol);
}

}  // namespace
}  // namespace dmremap::lab
