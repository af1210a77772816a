// SPDX-License-Identifier: GPL-2.0-or-later
#include "control.hpp"

#include <cerrno>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/checksum.hpp"
#include "os/json_line.hpp"
#include "os/line_socket.hpp"
#include "os/runtime_directory.hpp"
#include "os/unix_socket.hpp"

namespace dmremap::lab {

namespace {

using nlohmann::json;
using std::chrono::milliseconds;

constexpr std::size_t kLineLimit = std::size_t{64} << 20;  // a list of a million faults fits
// One client is served at a time: none may keep the others waiting by saying nothing.
constexpr milliseconds kClientPatience{5'000};
constexpr milliseconds kAnswerPatience{30'000};

Result<json> answer_line(const std::string& line, const ControlSocket::Answer& answer) {
  const json request = json::parse(line, nullptr, false);
  if (!request.is_object() || request.value("version", json()) != json(kProtocolVersion)) {
    return fail(ErrorCode::protocol, "not a request of this version", {},
                "use the dmremap-lab that serves the disk");
  }
  try {
    return answer(request);
  } catch (const json::exception& error) {
    return fail(ErrorCode::protocol, fmt::format("malformed request ({})", error.what()));
  }
}

}  // namespace

Result<RuntimeFiles> RuntimeFiles::of(const std::string& mountfile) {
  auto directory = os::runtime_directory();
  if (!directory) return failure_of(directory);
  RuntimeFiles out{std::move(*directory), "lab-"};
  const Sha256 digest = sha256(std::as_bytes(std::span(mountfile)));
  for (const std::byte b : std::span(digest).first(8)) {
    out.stem += fmt::format("{:02x}", std::to_integer<unsigned>(b));
  }
  return out;
}

Result<ControlSocket> ControlSocket::listen(const RuntimeFiles& files) {
  auto fd = os::listen_at(files.socket());
  if (!fd) return failure_of(fd);
  return ControlSocket(files.socket(), std::move(*fd));
}

ControlSocket::~ControlSocket() {
  if (fd_.valid()) ::unlink(path_.c_str());
}

void ControlSocket::serve_one(const Answer& answer) {
  FileDescriptor client(::accept4(fd_.get(), nullptr, nullptr, SOCK_CLOEXEC));
  if (!client.valid() || !os::is_peer_trusted(client.get())) return;
  os::LineSocket lines(std::move(client));
  const auto line = lines.read_line(kLineLimit, kClientPatience);
  if (!line || !*line) return;
  const auto result = answer_line(**line, answer);
  const json said =
      result ? json{{"result", *result}} : json{{"error", os::to_json(result.error())}};
  // A client that does not wait for its answer has missed it.
  (void)lines.write_line(os::to_line(said), kClientPatience);
}

Result<ControlClient> ControlClient::connect(const RuntimeFiles& files,
                                             const std::string& mountfile) {
  auto fd = os::connect_to(files.socket());
  if (!fd && fd.error().code == ErrorCode::not_running) {
    return fail(ErrorCode::not_running, "no lab serves it", mountfile,
                "start one with dmremap-lab serve IMAGE MOUNTFILE");
  }
  if (!fd) return failure_of(fd);
  ucred peer{};
  socklen_t size = sizeof peer;
  if (::getsockopt(fd->get(), SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) {
    return fail_errno(errno, "ask who serves it", mountfile);
  }
  // glibc before 2.36 has no wrapper.
  FileDescriptor process(static_cast<int>(::syscall(SYS_pidfd_open, peer.pid, 0)));
  return ControlClient(mountfile, os::LineSocket(std::move(*fd)), std::move(process));
}

Result<json> ControlClient::ask(json request) {
  request["version"] = kProtocolVersion;
  const auto asked = lines_.write_line(os::to_line(request), kAnswerPatience);
  const auto line = asked ? lines_.read_line(kLineLimit, kAnswerPatience) : failure_of(asked);
  const json answer = line && *line ? json::parse(**line, nullptr, false) : json();
  if (answer.is_object() && answer.contains("error")) {
    return tl::unexpected(os::error_from_json(answer["error"]));
  }
  if (answer.is_object() && answer.contains("result")) return answer["result"];
  return fail(ErrorCode::protocol, "the lab gave no answer", mountfile_,
              "see whether it still runs");
}

Result<void> ControlClient::wait_for_end(milliseconds limit) const {
  pollfd watched{.fd = process_.get(), .events = POLLIN, .revents = 0};
  // Without a pidfd it had ended before we could ask for one.
  if (!process_.valid() || ::poll(&watched, 1, static_cast<int>(limit.count())) == 1) return {};
  return fail(ErrorCode::timeout, "the lab does not end", mountfile_, "end its process");
}

}  // namespace dmremap::lab
