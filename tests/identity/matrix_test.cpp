// SPDX-License-Identifier: GPL-2.0-or-later
// Promise 8 over the matrix of identity: what public records say that devices show must lead to the
// right device, to none, or to one question. Each test counts one of the three outcomes and names
// every row that misses its own.
#include <algorithm>
#include <iostream>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "record.hpp"

namespace dmremap::identity {
namespace {

const std::vector<Record>& records() {
  static const std::vector<Record> all = read_records(DMREMAP_IDENTITY_RECORDS);
  return all;
}

std::string in_words(const Record& record, const Outcome& outcome) {
  return record.file + ": " + record.id + " (" + record.source + "): " +
         (outcome.taken.empty() ? outcome.code + ": " + outcome.text + "; " + outcome.hint
                                : "takes " + outcome.taken);
}

std::vector<Record> with(Expectation expectation) {
  std::vector<Record> out;
  std::ranges::copy_if(records(), std::back_inserter(out), [expectation](const Record& record) {
    return record.expectation == expectation;
  });
  return out;
}

TEST(IdentityMatrix, HasEnoughRowsAndEachNamesItsRecord) {
  std::set<std::string> ids;
  for (const Record& record : records()) {
    EXPECT_TRUE(ids.insert(record.id).second) << record.id << " is there twice";
    EXPECT_FALSE(record.source.empty()) << record.id;
    EXPECT_FALSE(record.says.empty()) << record.id;
    EXPECT_EQ(!path_of_main(record).empty(), record.expectation != Expectation::wrong) << record.id;
  }
  EXPECT_GE(records().size(), 150U);
}

TEST(IdentityMatrix, Promise8_MainIsTakenUnaidedWhereItCanBeTold) {
  const auto rows = with(Expectation::right);
  std::size_t taken = 0;
  for (const Record& record : rows) {
    const Outcome outcome = find_main(record);
    const bool is_main = !outcome.taken.empty() && outcome.taken == path_of_main(record);
    taken += is_main ? 1 : 0;
    // Below 99 % the test fails; each row that misses is named in any case.
    if (!is_main) std::cout << "not taken unaided: " << in_words(record, outcome) << "\n";
  }
  std::cout << taken << " of " << rows.size() << " that can be told are taken unaided\n";
  EXPECT_GE(taken * 100, rows.size() * 99);
}

TEST(IdentityMatrix, Promise8_NoOtherDeviceIsEverTaken) {
  std::size_t wrong = 0;
  for (const Record& record : records()) {
    const Outcome outcome = find_main(record);
    if (outcome.taken.empty() || outcome.taken == path_of_main(record)) continue;
    ++wrong;
    ADD_FAILURE() << in_words(record, outcome);
  }
  std::cout << wrong << " of " << records().size() << " rows take a wrong device\n";
}

TEST(IdentityMatrix, Promise8_WhereMainIsAwayTheErrorIsTheOneStated) {
  for (const Record& record : with(Expectation::wrong)) {
    const Outcome outcome = find_main(record);
    EXPECT_EQ(outcome.taken, "") << in_words(record, outcome);
    EXPECT_EQ(outcome.code, record.code) << in_words(record, outcome);
  }
}

TEST(IdentityMatrix, Promise8_WhatCannotBeToldIsRefusedAndTheConsentNamed) {
  const auto rows = with(Expectation::ask);
  for (const Record& record : rows) {
    const Outcome outcome = find_main(record);
    EXPECT_EQ(outcome.taken, "") << in_words(record, outcome);
    EXPECT_EQ(outcome.code, record.code) << in_words(record, outcome);
    EXPECT_NE(outcome.hint.find(record.consent), std::string::npos) << in_words(record, outcome);
  }
  std::cout << rows.size() << " that cannot be told are refused\n";
}

TEST(IdentityMatrix, Promise8_OneConsentIsEnough) {
  for (const Record& record : with(Expectation::ask)) {
    const std::string path = path_of_main(record);
    const Outcome accepted = find_main(record, path);
    EXPECT_EQ(accepted.taken, path) << in_words(record, accepted);
    if (!record.spares.empty() || record.host_then) continue;
    // The same devices, once more: nobody is asked again.
    const Outcome again = find_main(after_consent(record));
    EXPECT_EQ(again.taken, path) << in_words(record, again);
  }
}

}  // namespace
}  // namespace dmremap::identity
