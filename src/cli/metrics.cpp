// SPDX-License-Identifier: GPL-2.0-or-later
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "cli/common/host_view.hpp"
#include "cli/common/output.hpp"
#include "cli/common/verb.hpp"
#include "control/client.hpp"
#include "io/replace_file.hpp"
#include "metrics/exposition.hpp"
#include "metrics/http_server.hpp"
#include "os/event_loop.hpp"

namespace dmremap::cli {

namespace {

// Prometheus waits 10 s for an answer. One set that hangs must not take the metrics of the others.
constexpr std::chrono::seconds kAnswerTime{3};

struct Arguments {
  std::string listen;
  std::string textfile;
};

// The history of a set that has one; a set of an earlier version does not know the request.
std::optional<control::HistoryReply> history_of(const control::RuntimeDir& runtime,
                                                const monitor::SetLook& look) {
  if (look.presence != monitor::Presence::serving || !look.report->health) return std::nullopt;
  auto client = control::Client::connect(runtime.socket(look.name));
  if (!client) return std::nullopt;
  auto answer = client->call(control::HistoryRequest{}, kAnswerTime);
  return answer ? std::optional(std::move(*answer)) : std::nullopt;
}

std::string metrics_text(const control::RuntimeDir& runtime) {
  const auto death = [&](const std::string& name) { return death_of(runtime, name); };
  std::vector<metrics::MeasuredSet> sets;
  for (monitor::SetLook& look :
       monitor::look_at_all(runtime, death, kAnswerTime, std::chrono::milliseconds(0))) {
    auto history = history_of(runtime, look);
    sets.push_back({std::move(look), std::move(history)});
  }
  return metrics::exposition(sets, DMREMAP_VERSION);
}

int serve(const control::RuntimeDir& runtime, const std::string& address) {
  // Before the server's threads are made: signals are blocked in all of them.
  auto loop = os::EventLoop::make();
  if (!loop) return report(loop.error(), false);
  auto ready = loop->on_signals({SIGTERM, SIGINT}, [&loop](int) { loop->end(); });
  if (!ready) return report(ready.error(), false);
  const auto server =
      metrics::HttpServer::start(address, [&runtime] { return metrics_text(runtime); });
  if (!server) return report(server.error(), false);
  fmt::print("{}\n", server->url());
  std::fflush(stdout);
  const auto ended = loop->run();
  return ended ? kDone : report(ended.error(), false);
}

int run(const Arguments& arguments) {
  const auto runtime = control::RuntimeDir::from_environment();
  if (!runtime) return report(runtime.error(), false);
  if (!arguments.listen.empty()) return serve(*runtime, arguments.listen);
  const std::string text = metrics_text(*runtime);
  if (arguments.textfile.empty()) {
    fmt::print("{}", text);
    return kDone;
  }
  const auto written = io::write_file(arguments.textfile, text);
  return written ? kDone : report(written.error(), false);
}

manual::Prose prose() {
  return {
      .description = R"(
The sets that run here or died, as text for Prometheus: states and conditions, sectors, room on the
spare, errors, requests, the scan and the verdict. Each metric has a line of HELP.

It goes to stdout; with --listen it is handed out by HTTP at `/metrics` until the process is told to
end, to who asks at that address: without one, only on this machine. With --textfile it replaces a
file in one step, as the textfile collector of node_exporter wants it.

A set that does not answer has `dmremap_set_up` 0 and is no error. `dm-remap-metrics.timer` writes
the file for node_exporter every minute. Alert rules and a Grafana dashboard are in
`/usr/share/dm-remap`.
)",
      .examples = {{"dmremap metrics", "look at them"},
                   {"dmremap metrics --listen 127.0.0.1:9732", "for Prometheus on this machine"},
                   {"dmremap metrics --textfile /var/lib/prometheus/node-exporter/dm-remap.prom",
                    "for node_exporter"}},
      .exits = {{0, "done"}, {1, "failed: the port is in use, or the file cannot be written"}},
      .see_also = {"monitor", "status"}};
}

}  // namespace

void add_metrics(manual::Verb app, VerbAction& chosen) {
  manual::Verb verb = app.add_verb("metrics", "All sets as text for Prometheus");
  const auto arguments = std::make_shared<Arguments>();
  manual::Option listen =
      verb.add_option("--listen", arguments->listen,
                      "hand them out by HTTP; 9732 alone is a port of 127.0.0.1")
          .type_name("ADDRESS:PORT");
  verb.add_option("--textfile", arguments->textfile, "write this file instead of stdout")
      .type_name("FILE")
      .excludes(listen);
  verb.describe(prose());
  verb.when_given([&chosen, arguments] { chosen = [arguments] { return run(*arguments); }; });
}

}  // namespace dmremap::cli
