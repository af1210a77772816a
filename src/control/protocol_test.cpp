// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/protocol.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "os/json_line.hpp"

namespace dmremap::control {
namespace {

TEST(Protocol, AnErrorSurvivesTheWay) {
  const Error error{ErrorCode::device_in_use, "is in use: mounted on /mnt", "/dev/loop0", "umount"};
  const auto answer = parse_answer(os::to_line(make_answer(error)));
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, error.code);
  EXPECT_EQ(answer.error().what, error.what);
  EXPECT_EQ(answer.error().where, error.where);
  EXPECT_EQ(answer.error().hint, error.hint);
}

TEST(Protocol, ALineIsOneLineWhateverItHolds) {
  auto answer = make_answer();
  answer["path"] = "/a\nb\xff";
  EXPECT_EQ(os::to_line(answer).find('\n'), std::string::npos);
  EXPECT_TRUE(parse_answer(os::to_line(answer)));
}

TEST(Protocol, WhatIsNoMessageIsAnError) {
  for (const char* line :
       {"", "{", "[]", "null", "{}", "{\"version\":\"1\"}", "{\"version\":2,\"verb\":\"ping\"}",
        "{\"version\":1}", "{\"version\":1,\"verb\":7}", "\xff\xfe"}) {
    EXPECT_EQ(parse_request(line).error().code, ErrorCode::protocol) << line;
  }
  for (const char* line : {"{\"version\":1}", "{\"version\":1,\"ok\":\"yes\"}"}) {
    EXPECT_EQ(parse_answer(line).error().code, ErrorCode::protocol) << line;
  }
  EXPECT_FALSE(parse_answer("{\"version\":1,\"ok\":false}"));
}

}  // namespace
}  // namespace dmremap::control
