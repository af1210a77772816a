// SPDX-License-Identifier: GPL-2.0-or-later
// The matrix of identity: what public records say that devices show, and what a set must make of it
// (docs/testing.md). This reads the rows of tests/identity/records/*.txt and asks the functions
// that find a main; matrix_test.cpp counts what comes of it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "claims/claim.hpp"
#include "discovery/assembly.hpp"
#include "discovery/main_candidates.hpp"

namespace dmremap::identity {

// What must come of a row.
enum class Expectation {
  right,  // main is there and is known: taken, and nobody is asked
  wrong,  // main is not among the devices: none of them is taken
  ask     // a copy, or an unmeant change, would look the same: refused, until a user says once
};

// A device that is there now.
struct PresentDevice {
  std::string name;
  bool is_main = false;
  discovery::DeviceFacts facts;
  // Of the whole disk; several partitions name the same one.
  discovery::DiskNames disk;
};

struct Record {
  std::string id;
  std::string source;  // of the public record
  std::string says;
  std::string file;
  discovery::RecordedMain was;
  std::string path_then;
  std::vector<PresentDevice> present;
  std::vector<discovery::SpareFact> spares;
  std::vector<std::string> usable_spares;  // paths of those that may be used
  std::optional<claims::HostId> host_then;
  std::optional<claims::HostId> host_now;
  Expectation expectation = Expectation::right;
  std::string code;     // of the error
  std::string consent;  // what the error's hint must name
};

// All rows of all files of a directory, by file. Throws std::runtime_error with file and line where
// one does not make sense.
[[nodiscard]] std::vector<Record> read_records(const std::string& directory);

// What came of a row: the path of the device that was taken, or the error.
struct Outcome {
  std::string taken;
  std::string code;
  std::string text;
  std::string hint;
};
// `accept`: the path of the device that the user names as main, or spare; empty: nobody is asked.
[[nodiscard]] Outcome find_main(const Record& record, const std::string& accept = {});
// The path of main, or of the spare that may be used; empty if there is none.
[[nodiscard]] std::string path_of_main(const Record& record);
// The row after a user has said which device is main and the set was stopped cleanly: what it
// recorded then.
[[nodiscard]] Record after_consent(const Record& record);

}  // namespace dmremap::identity
