// SPDX-License-Identifier: GPL-2.0-or-later
// A spare may come from anybody: right checksums do not make its policy one that can be served.
#include <cstdint>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "format/sections.hpp"

namespace dmremap::format {
namespace {

using Field = std::uint32_t Configuration::*;

struct Ranged {
  Field field;
  PolicyRange range;
};

constexpr Ranged kFields[] = {{&Configuration::request_deadline_ms, kRequestDeadlineMs},
                              {&Configuration::lost_recheck_s, kLostRecheckS},
                              {&Configuration::read_retries, kReadRetries},
                              {&Configuration::probe_units, kProbeUnits}};

bool decodes(const Configuration& configuration) {
  std::vector<std::byte> bytes(kConfigurationBytes);
  pack_configuration(configuration, bytes);
  return unpack_configuration(bytes) == configuration;
}

bool decodes_with(Field field, std::uint32_t value) {
  Configuration configuration;
  configuration.*field = value;
  return decodes(configuration);
}

TEST(Configuration, WhatEveryVersionWroteDecodes) {
  EXPECT_TRUE(decodes(Configuration{30'000, 3'600, 1, 8}));
  EXPECT_TRUE(decodes(Configuration{}));
}

TEST(Configuration, EachFieldHasARangeThatDecodingChecks) {
  for (const auto& [field, range] : kFields) {
    EXPECT_TRUE(decodes_with(field, range.least));
    EXPECT_TRUE(decodes_with(field, range.most));
    EXPECT_FALSE(decodes_with(field, range.least - 1)) << range.least;
    EXPECT_FALSE(decodes_with(field, range.most + 1)) << range.most;
    EXPECT_FALSE(decodes_with(field, 0));
    EXPECT_FALSE(decodes_with(field, std::numeric_limits<std::uint32_t>::max()));
  }
}

}  // namespace
}  // namespace dmremap::format
