// SPDX-License-Identifier: GPL-2.0-or-later
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>

#include "base/parse.hpp"
#include "cli/common/host_view.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "monitor/changes.hpp"
#include "monitor/channels.hpp"
#include "monitor/delivery.hpp"
#include "monitor/sets_watch.hpp"
#include "os/event_loop.hpp"
#include "os/runtime_directory.hpp"

namespace dmremap::cli {

namespace {

using std::chrono::seconds;

constexpr std::chrono::milliseconds kFindEvery{1000};
// A start may wait for a failing disk.
constexpr seconds kSettleTime{10};
constexpr const char* kSendmail = "/usr/sbin/sendmail";
constexpr const char* kHooks = "/etc/dm-remap/monitor.d";
constexpr const char* kDeadline = "60";
constexpr const char* kMailEvery = "60";
constexpr std::uint64_t kMostSeconds = 86400;

struct Arguments {
  std::string mail;
  std::string from;
  std::string sendmail = kSendmail;
  std::string program;
  std::string hooks = kHooks;
  bool syslog = false;
  bool oneshot = false;
  bool test = false;
  std::string deadline = kDeadline;
  std::string mail_every = kMailEvery;
};

Result<seconds> seconds_in(const std::string& text, const std::string& option,
                           std::uint64_t least) {
  const auto value = parse_number(text);
  if (value && *value >= least && *value <= kMostSeconds) return seconds(*value);
  return fail(ErrorCode::usage,
              fmt::format("{} takes {} to {} seconds, not `{}`", option, least, kMostSeconds, text),
              "monitor", "see `dmremap monitor --help`");
}

// Compares each look at a set with the one before, and posts what there is to tell.
class Teller final : public monitor::SetsObserver {
 public:
  // `known`: the sets that were there when the monitor began.
  Teller(monitor::Delivery& delivery, const std::vector<std::string>& known)
      : delivery_(delivery), known_(known.begin(), known.end()) {}

  void on_events(const std::string& /*name*/, const monitor::EventBatch& /*batch*/) override {}

  void on_look(const monitor::SetLook& look) override {
    // Nothing holds of a set that is between two states.
    if (look.presence == monitor::Presence::changing) return;
    const auto before = last_.find(look.name);
    for (const monitor::Message& message : news(before, look)) delivery_.post(message);
    monitor::SetLook kept = look;
    if (!kept.report && before != last_.end()) kept.report = before->second.report;
    kept.events.clear();
    last_.insert_or_assign(look.name, std::move(kept));
  }

 private:
  using Looks = std::map<std::string, monitor::SetLook>;

  [[nodiscard]] std::vector<monitor::Message> news(const Looks::const_iterator& before,
                                                   const monitor::SetLook& look) const {
    if (before != last_.end()) return monitor::changes(before->second, look);
    if (known_.contains(look.name)) return monitor::what_holds(look);
    monitor::SetLook nothing;
    nothing.name = look.name;
    return monitor::changes(nothing, look);
  }

  monitor::Delivery& delivery_;
  const std::set<std::string> known_;
  Looks last_;
};

Result<void> add_channels(monitor::Delivery& delivery, const Arguments& arguments) {
  const auto deadline = seconds_in(arguments.deadline, "--deadline", 1);
  if (!deadline) return failure_of(deadline);
  const auto mail_every = seconds_in(arguments.mail_every, "--mail-every", 0);
  if (!mail_every) return failure_of(mail_every);
  const std::string to = arguments.mail.empty() ? os::environment("MAILADDR") : arguments.mail;
  const std::string from = arguments.from.empty() ? os::environment("MAILFROM") : arguments.from;
  // All are made before any is added: a wrong one is an error before anything is told.
  std::vector<std::unique_ptr<monitor::Channel>> channels;
  if (!to.empty()) {
    auto mail = monitor::mail_channel({to, from, arguments.sendmail, *deadline, *mail_every});
    if (!mail) return failure_of(mail);
    channels.push_back(std::move(*mail));
  }
  if (!arguments.program.empty()) {
    auto program = monitor::program_channel(arguments.program, *deadline);
    if (!program) return failure_of(program);
    channels.push_back(std::move(*program));
  }
  if (arguments.syslog) channels.push_back(monitor::syslog_channel());
  if (channels.empty()) channels.push_back(monitor::stdout_channel());
  if (!arguments.hooks.empty()) {
    channels.push_back(monitor::hooks_channel(arguments.hooks, *deadline));
  }
  for (auto& channel : channels) delivery.add(std::move(channel));
  return {};
}

monitor::DeathInWords death_in_words(const control::RuntimeDir& runtime) {
  return [runtime](const std::string& name) { return death_of(runtime, name); };
}

int test(const control::RuntimeDir& runtime, monitor::Delivery& delivery) {
  std::vector<std::string> names = runtime.names();
  // Whether messages arrive is worth a try before there is a set.
  if (names.empty()) names.emplace_back("-");
  for (const std::string& name : names) delivery.post(monitor::make_test_message(name));
  return delivery.finish() ? kDone : kFailed;
}

int look_once(const control::RuntimeDir& runtime, monitor::Delivery& delivery) {
  bool attention = false;
  for (const monitor::SetLook& look :
       monitor::look_at_all(runtime, death_in_words(runtime), monitor::kLookTime, kSettleTime)) {
    attention = attention || look.needs_attention();
    for (const monitor::Message& message : monitor::what_holds(look)) delivery.post(message);
  }
  const bool delivered = delivery.finish();
  if (attention) return kAttention;
  return delivered ? kDone : kFailed;
}

int watch(const control::RuntimeDir& runtime, monitor::Delivery& delivery, os::EventLoop& loop) {
  Teller teller(delivery, runtime.names());
  Result<void> ended;
  {
    monitor::SetsWatch sets(runtime, death_in_words(runtime), teller);
    sets.find_sets();
    auto ready = loop.every(kFindEvery, [&sets] { sets.find_sets(); });
    ended = ready ? loop.run() : ready;
  }
  // Messages that wait are still delivered. A second signal ends that, too.
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGTERM);
  ::sigaddset(&signals, SIGINT);
  ::pthread_sigmask(SIG_UNBLOCK, &signals, nullptr);
  (void)delivery.finish();
  return ended ? kDone : report(ended.error(), false);
}

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), false);
  // Before any thread is made: signals are blocked in all of them.
  auto loop = os::EventLoop::make();
  if (!loop) return report(loop.error(), false);
  if (!arguments.oneshot && !arguments.test) {
    auto ready = loop->on_signals({SIGTERM, SIGINT}, [&loop](int) { loop->end(); });
    if (!ready) return report(ready.error(), false);
  }
  monitor::Delivery delivery([](const Error& error) { warn(error.message()); });
  if (auto added = add_channels(delivery, arguments); !added) return report(added.error(), false);
  if (arguments.test) return test(*runtime, delivery);
  if (arguments.oneshot) return look_once(*runtime, delivery);
  return watch(*runtime, delivery, *loop);
}

// The tables of the manual, from those by which events are told.
std::string event_section() {
  std::string out = R"(
A program is called with the name of the event, the name of the set, and, unless there is nothing
more to say, a line of detail. Events marked with `+` are mailed.
)";
  for (const monitor::EventType& type : monitor::event_types()) {
    out += fmt::format("\n`{}`{}\n  {}: {}\n", type.name, type.mailed ? " +" : "",
                       monitor::name_of(type.level), type.meaning);
  }
  out += R"(
The others are conditions (`dmremap status` says what they mean). All are mailed, when they come and
when they go: then `Over` is put behind the name, and the level is info.
)";
  for (const monitor::ConditionType& type : monitor::condition_types()) {
    out += fmt::format("\n`{}`\n  {}: the condition {}\n", type.name, monitor::name_of(type.level),
                       type.condition);
  }
  return out;
}

constexpr const char* kHookSection = R"(
Each executable in `/etc/dm-remap/monitor.d` is called for each event as --program is, in the order
of their names. Only names of letters, digits, `_` and `-` count. A program that another user than
root (or the one who runs the monitor) may change, or in a directory of which that is true, is not
called, and a line says so.

A program that is not done after --deadline is killed. If it fails, one line on stderr says so; the
monitor goes on, and no other message is lost or held up for it.
)";

constexpr const char* kMailSection = R"(
Mail is given to `sendmail -t`. The first one is sent at once; what happens within the time of
--mail-every after one is in the next. Each event is mailed once. A mail that could not be sent is
not tried again.
)";

constexpr const char* kUnitSection = R"(
`dm-remap-monitor.service` runs the monitor with --syslog, and `dm-remap-monitor-oneshot.timer`
looks once a day, which repeats what still holds. Where mail goes to is set in
`/etc/default/dm-remap`: `MAILADDR=root`.
)";

manual::Prose prose() {
  return {
      .description = R"(
Follows all sets, those that run and those that are started later, and tells when something gets
worse or better: a condition comes or goes, more sectors are lost, the verdict on the disk changes,
the process of a set dies or does not answer. Each is told once. What holds already when the monitor
begins is told then.

Messages go by mail, to a program, to the system's log and to the programs of a directory; to stdout
if none of the first three is asked for.

With --oneshot it looks once, tells what holds now, and says by its exit status whether something
needs attention. With --test it sends a test message for each set, by all ways.
)",
      .examples = {{"dmremap monitor --mail root --syslog", "watch, and tell people"},
                   {"dmremap monitor --program /usr/local/sbin/on-disk-trouble",
                    "call a program for each event"},
                   {"dmremap monitor --mail admin@example.org --test", "see whether mail arrives"},
                   {"dmremap monitor --oneshot", "for scripts and other monitoring"}},
      .exits = {{0, "done; with --oneshot: nothing needs attention"},
                {1,
                 "failed: a program is not there, or with --oneshot or --test a message could "
                 "not be delivered"},
                {4,
                 "--oneshot: a set needs attention: it has a condition, its process died, or "
                 "it does not answer"}},
      .see_also = {"status", "events", "list", "metrics", "sendmail(8)"},
      .sections = {{"EVENTS", event_section()},
                   {"PROGRAMS", kHookSection},
                   {"MAIL", kMailSection},
                   {"UNITS", kUnitSection}}};
}

}  // namespace

void add_monitor(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb =
      app.add_verb("monitor", "Tells people when a set gets worse: mail, a program, the log");
  const auto arguments = std::make_shared<Arguments>();
  verb.add_option("--mail", arguments->mail, "where mail goes to; else $MAILADDR, if it is set")
      .type_name("ADDRESS");
  verb.add_option("--from", arguments->from, "who sends it; else $MAILFROM, else root")
      .type_name("ADDRESS");
  verb.add_option("--sendmail", arguments->sendmail,
                  fmt::format("what sends mail, compatible with sendmail(8); {}", kSendmail))
      .type_name("FILE");
  verb.add_option("--program", arguments->program, "called with EVENT NAME [DETAIL] for each event")
      .type_name("FILE");
  verb.add_option("--hooks", arguments->hooks,
                  fmt::format("programs that are called like that; {}", kHooks))
      .type_name("DIRECTORY");
  verb.add_flag("--syslog", arguments->syslog, "to the system's log");
  manual::Option oneshot = verb.add_flag("--oneshot", arguments->oneshot,
                                         "look once; exit status 4 if a set needs attention");
  verb.add_flag("--test", arguments->test, "send a test message for each set, and end")
      .excludes(oneshot);
  verb.add_option("--deadline", arguments->deadline,
                  fmt::format("how long a program may take, in seconds; {}", kDeadline))
      .type_name("SECONDS");
  verb.add_option("--mail-every", arguments->mail_every,
                  fmt::format("the shortest time between two mails, in seconds; {}", kMailEvery))
      .type_name("SECONDS");
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
