// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/common/lookup.hpp"

#include <utility>

#include "cli/common/host_view.hpp"
#include "cli/common/output.hpp"
#include "cli/common/set_names.hpp"
#include "set/spare_growth.hpp"
#include "set/status.hpp"

namespace dmremap::cli {

bool is_device_argument(const std::string& argument) {
  return argument.find('/') != std::string::npos;
}

manual::Option add_set_name(manual::Verb verb, std::string& name, const std::string& text) {
  manual::Option option = verb.add_option("NAME", name, text);
  option.replaced_by([](const std::string& given) { return resolve_set_name(given); });
  return option;
}

manual::Option add_set_names(manual::Verb verb, std::vector<std::string>& names,
                             const std::string& text) {
  manual::Option option = verb.add_option("NAME", names, text);
  option.replaced_by([](const std::string& given) { return resolve_set_name(given); });
  return option;
}

bool is_running(const control::RuntimeDir& runtime, const std::string& name) {
  return discovery::is_set_name(name) && control::holder_of(runtime.pid_file(name)).has_value();
}

bool is_running(const control::RuntimeDir& runtime, const std::string& name, const Uuid& uuid) {
  if (!is_running(runtime, name)) return false;
  const auto status = running_status(runtime, name);
  // A set that is starting or stopping does not answer. Its name is taken as proof then.
  return !status || status->uuid == uuid;
}

std::string memory_path(const control::RuntimeDir& runtime, const std::string& name) {
  // The name may come from any disk; a file is made only for one that is a set's.
  return discovery::is_set_name(name) ? runtime.memory_file(name) : std::string();
}

Result<void> check_visible(const control::RuntimeDir& runtime) {
  const std::string hidden = runtime.hidden_sets();
  if (hidden.empty()) return {};
  return fail(ErrorCode::permission, "permission denied: sets that run there cannot be seen",
              hidden, "ask as the user who started them, or with sudo");
}

Result<void> tell_of_hidden(const control::RuntimeDir& runtime, bool empty) {
  auto visible = check_visible(runtime);
  if (visible || empty) return visible;
  warn(visible.error().message());
  return {};
}

Result<control::Client> connect(const control::RuntimeDir& runtime, const std::string& name) {
  if (auto named = discovery::check_set_name(name); !named) return failure_of(named);
  if (!is_running(runtime, name)) {
    if (const auto visible = check_visible(runtime); !visible) return failure_of(visible);
    return fail(ErrorCode::not_running, "no such set is running", name,
                "see `dmremap list`, or start it with `dmremap start " + name + "`");
  }
  auto client = control::Client::connect(runtime.socket(name));
  if (!client && client.error().code == ErrorCode::not_running) {
    return fail(ErrorCode::not_running, "is being started or stopped", name, "try again");
  }
  return client;
}

Result<control::SetReport> running_status(const control::RuntimeDir& runtime,
                                          const std::string& name) {
  auto client = connect(runtime, name);
  if (!client) return failure_of(client);
  auto answer = client->call(control::StatusRequest{}, kAnswerTime);
  if (!answer) {
    Error error = answer.error();
    if (error.where.empty()) error.where = name;
    return tl::unexpected(std::move(error));
  }
  return std::move(answer->status);
}

Result<discovery::Spare> stopped_set(const control::RuntimeDir& runtime, const std::string& name) {
  discovery::DeviceLook look;
  return stopped_set(runtime, name, look);
}

Result<discovery::Spare> stopped_set(const control::RuntimeDir& runtime, const std::string& name,
                                     discovery::DeviceLook& look) {
  if (auto named = discovery::check_set_name(name); !named) return failure_of(named);
  auto spare = discovery::find_spare(name, discovery::Hints(runtime.hints()), look);
  if (!spare && spare.error().code == ErrorCode::missing_device && !look.silent()) {
    if (const auto visible = check_visible(runtime); !visible) return failure_of(visible);
    // What is known of a spare that is gone follows the first part of the text.
    const std::string& what = spare.error().what;
    const std::size_t known = what.find("; it was last seen");
    return fail(ErrorCode::not_running,
                "no such set is running, nor found on any device" +
                    (known == std::string::npos ? "" : what.substr(known)),
                name, "see `dmremap list -a`; `dmremap discover` looks for sets on all disks");
  }
  return spare;
}

control::SetReport stopped_report(const control::RuntimeDir& runtime,
                                  const discovery::Spare& stopped) {
  const auto hint = discovery::Hints(runtime.hints()).find(stopped.identity().name);
  const std::string main_path = hint ? hint->main_path : stopped.identity().main.path_hint;
  auto status = set::stopped_status(*stopped.survey.content, stopped.survey, main_path,
                                    stopped.path, host_view(runtime, stopped.identity()));
  if (!status.doubtful) {
    status.spares.front().growable =
        set::room_to_grow_at({status.table.spare_size}, status.spares.front().path);
  }
  return control::report_of(status);
}

}  // namespace dmremap::cli
