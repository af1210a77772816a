// SPDX-License-Identifier: GPL-2.0-or-later
#include "monitor/set_look.hpp"

#include <thread>

#include "control/client.hpp"

namespace dmremap::monitor {

namespace {

using std::chrono::steady_clock;

constexpr std::chrono::milliseconds kAgainAfter{200};

// The process may end while it is looked at, so the pid file has the last word.
Presence presence_of(const control::RuntimeDir& runtime, const std::string& name) {
  const std::string pid_file = runtime.pid_file(name);
  if (control::holder_of(pid_file)) return Presence::changing;
  return control::dead_holder_of(pid_file) ? Presence::died : Presence::stopped;
}

SetLook look_until_settled(const control::RuntimeDir& runtime, const std::string& name,
                           const DeathInWords& death, std::chrono::milliseconds time,
                           std::chrono::milliseconds settle) {
  const auto deadline = steady_clock::now() + settle;
  SetLook look = look_at(runtime, name, death, time);
  while (look.presence == Presence::changing && steady_clock::now() < deadline) {
    std::this_thread::sleep_for(kAgainAfter);
    look = look_at(runtime, name, death, time);
  }
  if (look.presence == Presence::changing) look.presence = Presence::silent;
  return look;
}

}  // namespace

bool SetLook::needs_attention() const {
  switch (presence) {
    case Presence::silent:
    case Presence::died:
    case Presence::vanished:
      return true;
    case Presence::serving:
      return report && report->needs_attention;
    case Presence::changing:
    case Presence::stopped:
      break;
  }
  return false;
}

SetLook look_at(const control::RuntimeDir& runtime, const std::string& name,
                const DeathInWords& death, std::chrono::milliseconds time) {
  SetLook out;
  out.name = name;
  out.presence = presence_of(runtime, name);
  if (out.presence == Presence::died) out.reason = death(name);
  if (out.presence != Presence::changing) return out;
  auto client = control::Client::connect(runtime.socket(name));
  Result<control::StatusReply> answer =
      client ? client->call(control::StatusRequest{}, time) : failure_of(client);
  if (answer) {
    out.presence = Presence::serving;
    out.report = std::move(answer->status);
    return out;
  }
  out.reason = answer.error().what;
  if (answer.error().code != ErrorCode::not_running) {
    out.presence = Presence::silent;
    return out;
  }
  out.presence = presence_of(runtime, name);
  if (out.presence == Presence::changing) out.reason = "is being started or stopped";
  if (out.presence == Presence::died) out.reason = death(name);
  return out;
}

std::vector<SetLook> look_at_all(const control::RuntimeDir& runtime, const DeathInWords& death,
                                 std::chrono::milliseconds time, std::chrono::milliseconds settle) {
  const std::vector<std::string> names = runtime.names();
  std::vector<SetLook> looks(names.size());
  {
    // A thread each: one that does not answer must not make the others wait.
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < names.size(); ++i) {
      threads.emplace_back(
          [&, i] { looks[i] = look_until_settled(runtime, names[i], death, time, settle); });
    }
  }
  // What was stopped meanwhile is no set that runs.
  std::erase_if(looks, [](const SetLook& look) { return look.presence == Presence::stopped; });
  return looks;
}

}  // namespace dmremap::monitor
