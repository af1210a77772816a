// SPDX-License-Identifier: GPL-2.0-or-later
// target_control_trial NAME: the engine's side of the protocol against the kernel target itself,
// whose table has been loaded and not been touched. Exit status 1 says what was not as expected.
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "frontend/dm/message_ioctl.hpp"
#include "frontend/dm/target_control.hpp"

namespace {

using dmremap::dm::RegionRange;

void expect(bool holds, const char* what) {
  std::printf("%s: %s\n", holds ? "ok" : "FAILED", what);
  if (!holds) {
    std::exit(1);
  }
}

bool is(const dmremap::Result<std::vector<RegionRange>>& list,
        const std::vector<RegionRange>& expected) {
  if (!list) {
    std::printf("%s\n", list.error().message().c_str());
  }
  return list && *list == expected;
}

}  // namespace

int main(int count, char** words) {
  const std::string name = count > 1 ? words[1] : "";
  const auto send = [&](const std::string& message) {
    return dmremap::dm::send_message({.name = name}, message);
  };
  expect(!dmremap::dm::send_message({.name = "no-such-device"}, "hello"),
         "a device that is not there");
  expect(!dmremap::dm::send_message({.name = name}, "nonsense"), "a message that is none");
  auto attached = dmremap::dm::TargetControl::attach(send);
  if (!attached) {
    std::printf("%s\n", attached.error().message().c_str());
  }
  expect(attached.has_value(), "attach");
  const std::uint32_t regions = attached->table().regions;
  const std::vector<RegionRange> all = {{0, regions}};
  expect(is(attached->marked(), all), "all is marked");
  expect(is(attached->dirty(), all), "all is dirty");
  const auto epochs = attached->end_epoch();
  expect(epochs && attached->settle(epochs->ended) && is(attached->dirty(), {}), "settled");
  expect(attached->clear(all) && is(attached->marked(), {}), "cleared");

  // More than one message's ranges, and a list of more than one answer.
  std::vector<RegionRange> odd;
  for (std::uint32_t first = 1; first < regions; first += 2) {
    odd.push_back({first, 1});
  }
  expect(attached->mark(odd).has_value(), "every other one is marked");
  expect(is(attached->marked(), odd), "and listed");
  expect(attached->drain(odd, std::chrono::seconds(20)).has_value(), "and drained");
  const auto not_marked = attached->drain(all, std::chrono::seconds(20));
  expect(!not_marked, "what is not marked is not drained");
  expect(is(attached->written_after(epochs->ended), {}), "nothing was written");
  expect(attached->take_slow(std::chrono::milliseconds(100)).has_value(), "slow requests");

  const auto refused = dmremap::dm::send_message({.name = name}, "marks 2 0000000000000000 0");
  expect(!refused && refused.error().code == dmremap::ErrorCode::protocol,
         "another protocol is refused");
  auto stale = dmremap::dm::marks_message({attached->table().table.number + 1}, 0);
  const auto gone = dmremap::dm::send_message({.name = name}, stale);
  expect(!gone && gone.error().code == dmremap::ErrorCode::protocol, "another table is refused");
  return 0;
}
