// SPDX-License-Identifier: GPL-2.0-or-later
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "base/parse.hpp"
#include "base/size_text.hpp"
#include "cli/common/lookup.hpp"
#include "cli/common/output.hpp"
#include "cli/common/progress_line.hpp"
#include "cli/common/range_verb.hpp"
#include "control/messages.hpp"

namespace dmremap::cli {

namespace {

using control::RetryReply;

// Without a range it is the whole disk.
Result<SectorRange> wanted_range(const RangeArguments& arguments, control::Client& client) {
  if (!arguments.range.empty()) return parse_range(arguments.range);
  const auto status = client.call(control::StatusRequest{}, kAnswerTime);
  if (!status) return failure_of(status);
  return SectorRange{{0}, {status->status.size_sectors}};
}

Result<RetryReply> retry(const RangeArguments& arguments) {
  // Before a set is asked: what cannot be meant is wrong whatever runs.
  if (const auto range = parse_range(arguments.range); !arguments.range.empty() && !range) {
    return failure_of(range);
  }
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return failure_of(runtime);
  auto client = connect(*runtime, arguments.name);
  if (!client) return failure_of(client);
  const auto range = wanted_range(arguments, *client);
  if (!range) return failure_of(range);
  ProgressLine line(0);
  auto answer = client->call(control::RetryRequest{{*range}}, kWorkTime);
  while (answer && !answer->finished) {
    line.show(answer->tried_sectors.value, answer->asked_sectors.value, "asked");
    answer = client->next<RetryReply>(kWorkTime);
  }
  line.end();
  return answer;
}

void print_text(const std::string& name, const RetryReply& done) {
  if (done.asked_sectors.value == 0) {
    fmt::print("no sector is lost or suspect there\n");
    return;
  }
  fmt::print("{} of {} asked: {} read again and are on the spare, {} good, {} lost, {} suspect\n",
             done.tried_sectors.value, counted(done.asked_sectors.value, "sector"),
             done.recovered_sectors.value, done.good_sectors.value, done.lost_sectors.value,
             done.suspect_sectors.value);
  if (done.read_error != 0) fmt::print("main answers: {}\n", errno_text(done.read_error));
  if (done.tried_sectors < done.asked_sectors) {
    fmt::print("ended early, because the set is being stopped\n");
  }
  if (done.recovered_sectors.value > 0) {
    fmt::print("if main was not to blame (a cable): dmremap unremap {} --all\n", name);
  }
  if (done.lost_sectors.value > 0) {
    fmt::print("what stays lost: dmremap files {} MOUNTPOINT names the files\n", name);
  }
}

int run(const RangeArguments& arguments) {
  const auto done = retry(arguments);
  if (!done) return report(done.error(), arguments);
  if (arguments.json) {
    print_json({{"name", arguments.name},
                {"asked_sectors", done->asked_sectors},
                {"tried_sectors", done->tried_sectors},
                {"recovered_sectors", done->recovered_sectors},
                {"good_sectors", done->good_sectors},
                {"lost_sectors", done->lost_sectors},
                {"suspect_sectors", done->suspect_sectors}});
  } else {
    print_text(arguments.name, *done);
  }
  return kDone;
}

manual::Prose prose() {
  return {.description = R"(
For after something was changed: a cable, a port, a power supply, the room's temperature. Main is asked
now for each sector that is lost or suspect, which otherwise happens once an hour. What reads again is
moved to the spare; a suspect sector that reads as fast as its neighbours is good. Gone sectors are
left alone, since main has something older there.

The drive may try each bad sector for up to a minute. How far it is shows on a terminal; Ctrl-C ends
it, and what was recovered stays so.
)",
          .examples = {{"dmremap retry backup", "everything that is lost or suspect"},
                       {"dmremap retry backup 2048+4096", "what of that lies in this range"}},
          .exits = {{0, "done, whatever could be read; how many are still lost is printed"},
                    {1,
                     "failed: no such set runs, it is read-only or tripped, or the spare or the "
                     "table is full"}},
          .json =
              "name, asked_sectors, tried_sectors, recovered_sectors, good_sectors, lost_sectors, "
              "suspect_sectors",
          .see_also = {"status", "unremap", "files", "backfill"}};
}

}  // namespace

void add_retry(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb(
      "retry", "Ask main now for its lost and suspect sectors; what reads is saved to the spare");
  const auto arguments = std::make_shared<RangeArguments>();
  (void)add_range_arguments(verb, *arguments, RangeNeeded::no);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
